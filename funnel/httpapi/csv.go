package httpapi

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/labstack/echo/v4"
)

// table is a report's main figures as rows of text.
type table struct {
	header []string
	rows   [][]string
}

// writeCSV sends a table after RFC 4180.
func writeCSV(c echo.Context, t table) error {
	var body bytes.Buffer
	w := csv.NewWriter(&body)
	w.UseCRLF = true
	if err := w.Write(t.header); err != nil {
		return fmt.Errorf("writing the CSV header: %w", err)
	}
	for _, row := range t.rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = harmless(cell)
		}
		if err := w.Write(safe); err != nil {
			return fmt.Errorf("writing a CSV row: %w", err)
		}
	}
	w.Flush()
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", body.Bytes())
}

// harmless keeps a spreadsheet from taking text for a formula (OWASP, "CSV Injection"): text that begins like one gets an apostrophe.
// Numbers, negative ones too, stay numbers.
func harmless(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}

func count(n int) string { return strconv.Itoa(n) }

// rate writes a ratio or seconds; what is not known stays empty.
func rate(r *float64) string {
	if r == nil {
		return ""
	}
	return strconv.FormatFloat(*r, 'f', 6, 64)
}

// sums writes "EUR 24.50", several currencies with a semicolon between them.
func sums(m funnel.Money) string {
	var parts []string
	for _, currency := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, currency+" "+m[currency].In(currency))
	}
	return strings.Join(parts, "; ")
}

func checkoutTable(a funnel.Checkout) table {
	t := table{header: []string{"group", "step", "carts", "rate_from_first", "rate_from_previous", "skipped", "abandoned", "abandonment_rate",
		"abandonment_rate_low", "abandonment_rate_high", "median_seconds_to_next"}}
	add := func(group string, steps []funnel.Step) {
		for _, s := range steps {
			t.rows = append(t.rows, []string{group, s.Step, count(s.Carts), rate(s.RateFromFirst), rate(s.RateFromPrevious), count(s.Skipped),
				count(s.Abandoned), rate(s.AbandonmentRate), rate(s.AbandonmentRateLow), rate(s.AbandonmentRateHigh), rate(s.MedianSecondsToNext)})
		}
	}
	add("", a.Steps)
	for _, g := range a.Groups {
		add(g.Key, g.Steps)
	}
	return t
}

func customersTable(a funnel.Customers) table {
	t := table{header: []string{"start", "customers", "new", "returning", "orders", "revenue"}}
	for _, p := range a.Series {
		t.rows = append(t.rows, []string{p.Start.String(), count(p.Customers), count(p.New), count(p.Returning), count(p.Orders), sums(p.Revenue)})
	}
	if len(a.Series) == 0 {
		t.rows = append(t.rows, []string{a.Period.From.String(), count(a.Customers), count(a.New), count(a.Returning), count(a.Orders), sums(a.Revenue)})
	}
	return t
}

func coverageTable(a funnel.CoverageReport) table {
	t := table{header: []string{"start", "consented_sessions", "unconsented_page_views", "orders_measured", "orders_total", "ratio"}}
	add := func(start funnel.Date, c funnel.Coverage) {
		total := ""
		if c.OrdersTotal != nil {
			total = count(*c.OrdersTotal)
		}
		t.rows = append(t.rows, []string{start.String(), count(c.ConsentedSessions), count(c.UnconsentedPageViews), count(c.OrdersMeasured), total, rate(c.Ratio)})
	}
	for _, p := range a.Series {
		add(p.Start, p.Coverage)
	}
	if len(a.Series) == 0 {
		add(a.Period.From, a.Coverage)
	}
	return t
}
