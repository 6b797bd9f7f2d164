package warehouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kassa-analytics/kassa/consentgate"
)

// personalSections are the parts of PersonalData in their order, each read by the statement personal_<name>.sql.
var personalSections = []string{"consents", "sessions", "events", "carts", "orders"}

// PersonalData is everything held about one visitor, under any of its pseudonyms: one JSON object with the arrays consents, sessions,
// events (with their pages and times), carts and orders. Pseudonyms are shown as 16 hex digits; contacts are opened.
func (w *Warehouse) PersonalData(ctx context.Context, shop string, visitor []consentgate.Pseudonym) (jsontext.Value, error) {
	all := map[string][]jsontext.Value{}
	for _, section := range personalSections {
		list, err := w.personalSection(ctx, section, shop, visitor)
		if err != nil {
			return nil, err
		}
		all[section] = list
	}
	b, err := json.Marshal(all, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing a visitor's data: %w", err)
	}
	return b, nil
}

func (w *Warehouse) personalSection(ctx context.Context, section, shop string, visitor []consentgate.Pseudonym) ([]jsontext.Value, error) {
	ctx = clickhouse.Context(ctx,
		clickhouse.WithParameters(clickhouse.Parameters{"shop": shop, "visitors": array(visitor)}),
		clickhouse.WithSettings(clickhouse.Settings{"date_time_output_format": "iso", "output_format_json_quote_decimals": 1, "enable_named_columns_in_function_tuple": 1}))
	rows, err := w.conn.Query(ctx, statements.get("personal_"+section+".sql"))
	if err != nil {
		return nil, fmt.Errorf("reading a visitor's %s: %w", section, err)
	}
	defer rows.Close()
	list := []jsontext.Value{}
	for rows.Next() {
		var document, contact, cartRef string
		if err := rows.Scan(&document, &contact, &cartRef); err != nil {
			return nil, fmt.Errorf("reading a visitor's %s: %w", section, err)
		}
		v, err := w.opened(jsontext.Value(document), shop, contact, cartRef)
		if err != nil {
			return nil, fmt.Errorf("reading a visitor's %s: %w", section, err)
		}
		list = append(list, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading a visitor's %s: %w", section, err)
	}
	return list, nil
}

// opened adds what was sealed to a document. What no key opens any more is told as such, not left out.
func (w *Warehouse) opened(document jsontext.Value, shop, contact, cartRef string) (jsontext.Value, error) {
	if w.sealed == nil || contact == "" && cartRef == "" {
		return document, nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(document, &members); err != nil {
		return nil, fmt.Errorf("reading a row: %w", err)
	}
	for field, sealed := range map[string]string{"contact": contact, "cart_ref": cartRef} {
		if sealed == "" {
			continue
		}
		plain, err := w.sealed.Open(shop, field, []byte(sealed))
		if err != nil {
			plain = []byte("(sealed with a key that is no longer held)")
		}
		if members[field], err = json.Marshal(string(plain)); err != nil {
			return nil, fmt.Errorf("writing %s: %w", field, err)
		}
	}
	b, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing a row: %w", err)
	}
	return b, nil
}
