package csvimport

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

const mapping = `legal_basis: "contract"
time: {column: at, timezone: Europe/Brussels}
visitor: who
customer: {expr: 'customer + "@" + shop', when: 'customer != ""'}
cart: {column: cart, when: 'name != "view"'}
currency: {const: EUR}
value: {expr: 'replace(value, ",", ".")'}
campaign: {source: utm, medium: {expr: 'utm == "" ? "" : "cpc"'}}
error: {kind: {const: form_error, when: 'name == "oops"'}}
items:
  - {id: sku, quantity: {const: "2"}}
events:
  - {name: purchase, when: 'name == "buy" && value != ""'}
  - {name: page_view, when: 'name == "view"'}
  - {name: {expr: '"x_" + name'}, when: 'name in ["add", "oops"]'}
`

const header = "at,who,customer,shop,cart,name,value,utm,sku\n"

func read(t *testing.T, m, content string) ([]Record, []string) {
	t.Helper()
	mapped, err := ParseMapping("m.yaml", []byte(m))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader("e.csv", strings.NewReader(content), mapped)
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	var bad []string
	for {
		var rec Record
		err := r.Next(&rec)
		var row *RowError
		switch {
		case errors.Is(err, io.EOF):
			return records, bad
		case errors.As(err, &row):
			bad = append(bad, row.Error())
		case err != nil:
			t.Fatal(err)
		default:
			records = append(records, rec)
		}
	}
}

func TestRowsBecomeEvents(t *testing.T) {
	records, bad := read(t, mapping, "\ufeff"+header+
		"2026-07-01 9:05,v1,c1,s,k1,buy,\"12,50\",google,A\n"+
		"2026-01-01T10:00:00.5Z,v2,,s,k2,view,,,\n"+
		"1767261600,v3,,s,k3,add,3,,B\n"+
		"1767261600000,v3,,s,k3,other,3,,B\n"+
		"2026-01-01 10:00:00+02:00,v4,,s,k4,oops,,,\n")
	if len(bad) > 0 || len(records) != 5 {
		t.Fatalf("%d records, bad %v", len(records), bad)
	}
	e := records[0].Input
	if e.Name != "purchase" || e.Customer != "c1@s" || e.Value != "12.50" || e.Currency != "EUR" || e.Campaign.Source != "google" || e.Campaign.Medium != "cpc" ||
		e.Cart != "k1" || len(e.Items) != 1 || e.Items[0].ID != "A" || e.Items[0].Quantity != "2" || e.Time != time.Date(2026, 7, 1, 7, 5, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("got %+v", e)
	}
	if e := records[1].Input; e.Name != "page_view" || e.Customer != "" || e.Cart != "" || len(e.Items) != 0 || e.Time != time.Date(2026, 1, 1, 10, 0, 0, 5e8, time.UTC).UnixMilli() {
		t.Errorf("got %+v", e)
	}
	if e := records[2].Input; e.Name != "x_add" || e.Time != 1767261600000 || records[2].Line != 4 {
		t.Errorf("line %d, got %+v", records[2].Line, e)
	}
	if !records[3].Skipped {
		t.Errorf("a row that no rule names: %+v", records[3])
	}
	if e := records[4].Input; e.ErrorKind != "form_error" || e.Time != time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("got %+v", e)
	}
}

func TestIdentityIsContentAndOccurrence(t *testing.T) {
	a, b := "2026-01-01 10:00,v,,s,k,view,,,\n", "2026-01-01 10:00,v,,s,k,view,1,,\n"
	ids := func(content string) []string {
		records, _ := read(t, mapping, header+content)
		var out []string
		for _, r := range records {
			out = append(out, r.Input.ID)
		}
		return out
	}
	first := ids(a + b + a)
	if first[0] == first[2] || first[0] == first[1] || !strings.HasSuffix(first[2], "-2") {
		t.Errorf("got %v", first)
	}
	if again := ids(a + b + a); !slices.Equal(again, first) {
		t.Errorf("again %v, first %v", again, first)
	}
	if moved := ids(a + a + b); moved[0] != first[0] || moved[1] != first[2] || moved[2] != first[1] {
		t.Errorf("rows in another order are other events: %v, %v", moved, first)
	}
	records, _ := read(t, mapping+"id: sku\n", header+"2026-01-01 10:00,v,,s,k,view,,,X7\n")
	if records[0].Input.ID != "X7" {
		t.Errorf("id %q", records[0].Input.ID)
	}
}

func TestBadRowsAreToldAndReadingGoesOn(t *testing.T) {
	good := "2026-01-01 10:00,v,,s,k,view,,,\n"
	records, bad := read(t, mapping, header+"soon,v,,s,k,view,,,\n"+good+"2026-01-01 10:00,v\n"+good+"2026-02-30 10:00,v,,s,k,view,,,\n2026-01-01 10:00,\xff,,s,k,view,,,\n2026-01-01 10:00,a\"b,,s,k,view,,,\n"+good)
	want := []string{
		`e.csv:2: time: "soon" is not a time;`, `e.csv:4: has 2 columns where the first line names 9`, `e.csv:6: time: "2026-02-30 10:00" is not`,
		`e.csv:7: column "who" is not UTF-8`, `e.csv:8: cannot be read at column 19: bare`,
	}
	if len(records) != 3 || len(bad) != len(want) {
		t.Fatalf("%d records, bad %q", len(records), bad)
	}
	for i := range want {
		if !strings.HasPrefix(bad[i], want[i]) {
			t.Errorf("got %q, want %q", bad[i], want[i])
		}
	}
}

func TestWhatIsWrongInAMappingIsTold(t *testing.T) {
	for _, tt := range []struct {
		name, mapping string
		want          []string
	}{
		{"empty", "", []string{`m.yaml:1: has no legal_basis; say`, `m.yaml:1: has no time;`, `m.yaml:1: has no visitor;`, `m.yaml:1: has no events;`}},
		{"unknown keys", mapping + "vistor: x\ncolumns: {a: b}\n", []string{`m.yaml:16: vistor: is not a key here; known are campaign, cart`, `m.yaml:17: columns: is not`}},
		{"two sources", mapping + "page: {column: a, const: b}\ntitle: {when: 'true'}\nlanguage: ''\n", []string{`m.yaml:16: page.const: stands beside another`, `m.yaml:17: title: says not where`, `m.yaml:18: language: is empty`}},
		{"events", "legal_basis: x\ntime: at\nvisitor: who\nevents:\n  - {when: 'true'}\n  - {name: Purchase}\n", []string{`m.yaml:5: events[0]: has no name`, `m.yaml:6: events[1].name: "Purchase" is not an event name`}},
		{"zone", "legal_basis: x\ntime: {column: at, timezone: Brussels}\nvisitor: who\nevents: []\ndelimiter: ab\n", []string{`m.yaml:2: time.timezone: "Brussels"`, `m.yaml:4: events: is empty`, `m.yaml:5: delimiter: "ab" does not`}},
		{"column", mapping + "page: url\n", []string{`m.yaml:16: page: there is no column "url" in the first line of e.csv; it names at, who,`}},
		{"expression", mapping + "page: {expr: 'nam + 1'}\ntitle: {const: a, when: 'name'}\n", []string{`m.yaml:16: page.expr: unknown name nam`, `m.yaml:17: title.when: expected bool`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ParseMapping("m.yaml", []byte(tt.mapping))
			if err == nil {
				_, err = NewReader("e.csv", strings.NewReader(header), m)
			}
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("got %d problems, want %d:\n%v", len(got), len(tt.want), err)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], tt.want[i])
				}
			}
		})
	}
}

func TestHeadersAreChecked(t *testing.T) {
	m, err := ParseMapping("m.yaml", []byte(mapping))
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		"":              "e.csv:1: the file is empty",
		"a,b,a\n":       `e.csv:1:5: column 3 is named "a", as is column 1`,
		"at,\xff\n":     "e.csv:1:4: the name of the column is not UTF-8",
		"at,\"who\nx\n": "e.csv: the first line cannot be read",
	} {
		if _, err := NewReader("e.csv", strings.NewReader(content), m); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", content, err, want)
		}
	}
}

func TestColumnsWithSpacesInExpressions(t *testing.T) {
	records, bad := read(t, "legal_basis: x\ntime: 'Event Time'\nvisitor: who\nevents: [{name: purchase, when: '$env[\"Event Name\"] == \"Buy\"'}]\n", "Event Time,who,Event Name\n2026-01-01 10:00,v,Buy\n")
	if len(bad) > 0 || len(records) != 1 || records[0].Input.Name != "purchase" {
		t.Errorf("%+v %v", records, bad)
	}
}

func TestParseTime(t *testing.T) {
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]string{
		"2020-02-04 19:16:09.182546": "2020-02-04T18:16:09.182546Z", "2020-02-04 9:16": "2020-02-04T08:16:00Z", "2020-02-04T09:16:01": "2020-02-04T08:16:01Z",
		"2020-07-04T09:16:01Z": "2020-07-04T09:16:01Z", "2020-07-04T09:16:01+0200": "2020-07-04T07:16:01Z", "2020-07-04 09:16:01 -01:30": "2020-07-04T10:46:01Z",
		"1580843769": "2020-02-04T19:16:09Z", "1580843769182": "2020-02-04T19:16:09.182Z", "2024-02-29 0:00:00.5 UTC": "2024-02-29T00:00:00.5Z",
	} {
		got, err := parseTime(s, brussels)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v, %v; want %s", s, got.UTC(), err, want)
		}
	}
	for _, s := range []string{"", "x", "2020-02-30 10:00", "2023-02-29 10:00", "2020-13-01 10:00", "2020-01-01", "2020-01-01 24:00", "2020-01-01 10:60", "2020-01-01 10:00:00.", "2020-01-01 10:00 CET", "2020-01-01 100:00", "-1580843769", "1580843769182000", "2020-01-01T10:00:00+2"} {
		if got, err := parseTime(s, brussels); err == nil {
			t.Errorf("%q accepted as %v", s, got)
		}
	}
}
