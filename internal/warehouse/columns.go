package warehouse

import (
	"strconv"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/money"
)

// column is one column of the table incoming and how it is filled from a batch, whole columns at a time.
type column struct {
	name string
	fill func([]collector.Event) any
}

// eventColumns are the columns of incoming in the order of sql/insert_events.sql.
func eventColumns() []column {
	type E = collector.Event
	return []column{
		{"shop", each(func(e *E) string { return e.Shop })},
		{"event_id", each(func(e *E) []byte { return e.ID[:] })},
		{"name", each(func(e *E) string { return e.Name })},
		{"time", each(func(e *E) int64 { return e.Time })},
		{"received", each(func(e *E) int64 { return e.Received })},
		{"visitor", each(func(e *E) uint64 { return e.Visitor })},
		{"session", each(func(e *E) uint64 { return e.Session })},
		{"cart", each(func(e *E) uint64 { return e.Cart })},
		{"order_ref", each(func(e *E) uint64 { return e.Order })},
		{"customer", each(func(e *E) uint64 { return e.Customer })},
		{"receipt_id", each(func(e *E) string { return e.ReceiptID })},
		{"given_at", each(func(e *E) int64 { return e.GivenAt })},
		{"basis", each(func(e *E) string { return e.Basis })},
		{"marketing", each(func(e *E) uint8 { return bit(e.Marketing) })},
		{"wire", each(func(e *E) string { return e.Wire })},
		{"cart_event", each(func(e *E) uint8 { return bit(e.CartEvent) })},
		{"page", each(func(e *E) string { return e.Page })},
		{"title", each(func(e *E) string { return e.Title })},
		{"language", each(func(e *E) string { return e.Language })},
		{"referrer", each(func(e *E) string { return e.Referrer })},
		{"source", each(func(e *E) string { return e.Source })},
		{"medium", each(func(e *E) string { return e.Medium })},
		{"campaign", each(func(e *E) string { return e.Campaign })},
		{"term", each(func(e *E) string { return e.Term })},
		{"content", each(func(e *E) string { return e.Content })},
		{"channel", each(func(e *E) string { return e.Channel })},
		{"device", each(func(e *E) string { return e.Device })},
		{"browser", each(func(e *E) string { return e.Browser })},
		{"os", each(func(e *E) string { return e.OS })},
		{"currency", each(func(e *E) string { return e.Currency })},
		{"value", each(func(e *E) *int64 { return amount(e.Value) })},
		{"shipping", each(func(e *E) *int64 { return amount(e.Shipping) })},
		{"tax", each(func(e *E) *int64 { return amount(e.Tax) })},
		{"fees", each(func(e *E) *int64 { return amount(e.Fees) })},
		{"discount", each(func(e *E) *int64 { return amount(e.Discount) })},
		{"coupon", each(func(e *E) string { return e.Coupon })},
		{"payment_type", each(func(e *E) string { return e.PaymentType })},
		{"shipping_tier", each(func(e *E) string { return e.ShippingTier })},
		{"error_kind", each(func(e *E) string { return e.ErrorKind })},
		{"error_detail", each(func(e *E) string { return e.ErrorDetail })},
		{"items", each(func(e *E) []string { return flatItems(e.Items) })},
		{"contact", each(func(e *E) string { return string(e.Contact) })},
		{"cart_ref", each(func(e *E) string { return string(e.CartRef) })},
		{"excluded", each(func(e *E) uint8 { return bit(e.Excluded) })},
	}
}

func each[T any](get func(*collector.Event) T) func([]collector.Event) any {
	return func(events []collector.Event) any {
		values := make([]T, len(events))
		for i := range events {
			values[i] = get(&events[i])
		}
		return values
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func amount(a *money.Amount) *int64 { return (*int64)(a) }

// flatItems writes six strings an item, see the table incoming.
func flatItems(items []collector.Item) []string {
	if len(items) == 0 {
		return nil
	}
	flat := make([]string, 0, 6*len(items))
	for i := range items {
		it := &items[i]
		price := ""
		if it.Price != nil {
			price = strconv.FormatInt(int64(*it.Price), 10)
		}
		flat = append(flat, it.ID, it.Name, it.Category, it.Variant, price, strconv.FormatInt(it.Quantity, 10))
	}
	return flat
}
