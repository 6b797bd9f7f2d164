package collector

import (
	"strconv"
	"unicode/utf8"

	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/channel"
	"github.com/kassa-analytics/kassa/internal/money"
)

// maxQuantity is the largest number of pieces in one line of goods.
const maxQuantity = 1_000_000

// judge turns the inputs of one batch into events, or says why not. It is reused from batch to batch for its memory.
type judge struct {
	keys  Keys
	rules *shopRules
	batch *Batch

	permit    consentgate.Permit
	marketing bool
	basis     string // of an import; empty: consent
	given     int64
	clock     batchClock
	oldest    int64 // imports: older ones would be deleted at once; 0 = keep all
	session   uint64

	carts, orders, customers, sessions pseudonymMemo
	sealedRef                          []byte // of the cart last sealed
	sealedFor                          string

	events  []Event
	items   []Item
	amounts []money.Amount
}

// pseudonymMemo keeps the last pseudonym made: the events of a batch mostly name the same cart.
type pseudonymMemo struct {
	id string
	p  uint64
}

func (j *judge) pseudonym(m *pseudonymMemo, kind consentgate.Kind, id string) uint64 {
	if id == "" {
		return 0
	}
	if m.id != id {
		m.id, m.p = id, uint64(j.keys.Pseudonym(j.rules.ID, kind, id))
	}
	return m.p
}

// fill judges in and writes the event. An error of another type than *Rejection means that sealing failed.
func (j *judge) fill(ev *Event, in *Input) error {
	if in.fault != nil {
		return in.fault
	}
	if fault := j.identity(in); fault != nil {
		return fault
	}
	t, fault := j.time(in.Time)
	if fault != nil {
		return fault
	}
	*ev = Event{
		Shop: j.rules.ID, ID: j.keys.EventID(j.rules.ID, in.ID), Name: in.Name, Time: t, Received: j.clock.received,
		Visitor: uint64(j.permit.Visitor()), Session: j.session,
		Cart:     j.pseudonym(&j.carts, consentgate.KindCart, in.Cart),
		Order:    j.pseudonym(&j.orders, consentgate.KindOrder, in.Order),
		Customer: j.pseudonym(&j.customers, consentgate.KindCustomer, in.Customer),

		ReceiptID: j.permit.ReceiptID(), GivenAt: j.given, Basis: j.basis, Marketing: j.marketing, Wire: j.batch.Wire,
		CartEvent: j.rules.cartEvents[in.Name],
		Device:    j.batch.Agent.Device, Browser: j.batch.Agent.Browser, OS: j.batch.Agent.OS,
		Language: language(in.Language),
		Coupon:   text(in.Coupon, maxText), PaymentType: text(in.PaymentType, maxText), ShippingTier: text(in.ShippingTier, maxText),
		ErrorKind: in.ErrorKind, ErrorDetail: text(in.ErrorDetail, maxText),
		Excluded: j.rules.excluded(in.Customer, in.Coupon),
	}
	if in.Session != "" {
		ev.Session = j.pseudonym(&j.sessions, consentgate.KindSession, in.Session)
	}
	if j.rules.KeepTitles {
		ev.Title = text(in.Title, maxTitle)
	}
	j.origin(ev, in)
	if fault := j.money(ev, in); fault != nil {
		return fault
	}
	if j.marketing {
		return j.seal(ev, in)
	}
	return nil
}

// identity checks the fields that are hashed or compared, and so never cut.
func (j *judge) identity(in *Input) *Rejection {
	if in.ID == "" {
		return reject(ReasonMissingValue, "/id", "every event needs an id of its own")
	}
	if in.Name == "" {
		return reject(ReasonMissingValue, "/name", "every event needs a name")
	}
	if !validName(in.Name) {
		return reject(ReasonInvalidValue, "/name", "must be a GA4 e-commerce name or of the form [a-z][a-z0-9_]{0,39}")
	}
	for _, f := range [...]struct {
		value, pointer string
		max            int
	}{
		{in.ID, "/id", maxID}, {in.Session, "/session", maxID}, {in.Cart, "/cart", maxID}, {in.Order, "/order", maxID},
		{in.Customer, "/customer", maxID}, {in.Contact, "/contact", maxContact},
	} {
		if len(f.value) > f.max && utf8.RuneCountInString(f.value) > f.max {
			return reject(ReasonTooLong, f.pointer, "must not have more than "+strconv.Itoa(f.max)+" characters")
		}
	}
	if in.ErrorKind != "" && !validErrorKind(in.ErrorKind) {
		return reject(ReasonInvalidValue, "/error/kind", "must be payment_declined, payment_error, no_delivery_option, coupon_rejected, form_error, out_of_stock, account_required or other")
	}
	return nil
}

// badText finds a text that is no UTF-8, which JSON never lets in but a file to import can hold; empty where all are good.
func badText(in *Input) (pointer string) {
	for _, f := range [...]struct{ value, pointer string }{
		{in.Page, "/page"}, {in.Title, "/title"}, {in.Referrer, "/referrer"}, {in.Campaign.Source, "/campaign/source"}, {in.Campaign.Medium, "/campaign/medium"},
		{in.Campaign.Name, "/campaign/name"}, {in.Campaign.Term, "/campaign/term"}, {in.Campaign.Content, "/campaign/content"}, {in.Coupon, "/coupon"},
		{in.PaymentType, "/payment_type"}, {in.ShippingTier, "/shipping_tier"}, {in.ErrorDetail, "/error/detail"},
	} {
		if !utf8.ValidString(f.value) {
			return f.pointer
		}
	}
	for i, it := range in.Items {
		if !utf8.ValidString(it.ID) || !utf8.ValidString(it.Name) || !utf8.ValidString(it.Category) || !utf8.ValidString(it.Variant) {
			return "/items/" + strconv.Itoa(i)
		}
	}
	return ""
}

// validName tells [a-z][a-z0-9_]{0,39}, of which the GA4 names are a part.
func validName(s string) bool {
	if len(s) > 40 || s == "" || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

func validErrorKind(s string) bool {
	switch s {
	case "payment_declined", "payment_error", "no_delivery_option", "coupon_rejected", "form_error", "out_of_stock", "account_required", "other":
		return true
	}
	return false
}

// time judges a live event's time, or takes an imported one as it is.
func (j *judge) time(t int64) (int64, *Rejection) {
	if j.basis == "" {
		return j.clock.judge(t)
	}
	switch {
	case t == 0:
		return 0, reject(ReasonMissingValue, "/time", "an imported event needs its time")
	case t <= firstMilli || t >= lastMilli:
		return 0, reject(ReasonTimeOutOfRange, "/time", "must lie between 1970 and 2200")
	case t < j.oldest:
		return 0, reject(ReasonOlderThanRetention, "/time", "is older than the configured retention")
	}
	return t, nil
}

// origin fills in page, referrer and how the visitor came.
func (j *judge) origin(ev *Event, in *Input) {
	page := readPage(in.Page)
	ev.Page = page.path
	ev.Referrer = referrerHost(in.Referrer)
	if ev.Referrer != "" && (ev.Referrer == page.host || j.rules.ownHost(ev.Referrer)) {
		ev.Referrer = ""
	}
	campaign := in.Campaign
	if campaign == (Campaign{}) {
		campaign = page.campaign
	}
	if campaign == (Campaign{}) && ev.Referrer == "" && page.click == "" {
		ev.Channel = channel.Direct // most events of a visit
		return
	}
	o := channel.Classify(channel.Hints{
		Source: text(campaign.Source, maxCampaign), Medium: text(campaign.Medium, maxCampaign), Campaign: text(campaign.Name, maxCampaign),
		Referrer: ev.Referrer, Click: page.click,
	})
	ev.Channel, ev.Source, ev.Medium, ev.Campaign = o.Channel, o.Source, o.Medium, o.Campaign
	ev.Term, ev.Content = text(campaign.Term, maxCampaign), text(campaign.Content, maxCampaign)
}

// money reads amounts and items in the event's currency, the shop's where none is told.
func (j *judge) money(ev *Event, in *Input) *Rejection {
	digits := j.rules.digits
	currency := in.Currency
	if currency != "" && currency != j.rules.Currency {
		var err error
		if digits, err = money.MinorDigits(currency); err != nil {
			return reject(ReasonInvalidValue, "/currency", "must be an ISO 4217 currency code in capitals")
		}
	}
	told := false
	for _, f := range [...]struct {
		text    string
		into    **money.Amount
		pointer string
	}{
		{in.Value, &ev.Value, "/value"}, {in.Shipping, &ev.Shipping, "/shipping"}, {in.Tax, &ev.Tax, "/tax"},
		{in.Fees, &ev.Fees, "/fees"}, {in.Discount, &ev.Discount, "/discount"},
	} {
		if f.text == "" {
			continue
		}
		told = true
		a, err := money.Parse(f.text, digits)
		if err != nil {
			return reject(ReasonInvalidValue, f.pointer, err.Error())
		}
		if a < 0 {
			return reject(ReasonInvalidValue, f.pointer, "must not be negative")
		}
		*f.into = j.amount(a)
	}
	if len(in.Items) > MaxItems {
		return reject(ReasonTooManyItems, "/items", "must not have more than "+strconv.Itoa(MaxItems)+" items")
	}
	start := len(j.items)
	for i := range in.Items {
		item, fault := j.item(&in.Items[i], digits)
		if fault != nil {
			fault.Pointer = "/items/" + strconv.Itoa(i) + fault.Pointer
			return fault
		}
		told = told || item.Price != nil
		j.items = append(j.items, item)
	}
	if len(in.Items) > 0 {
		ev.Items = j.items[start:len(j.items):len(j.items)]
	}
	// An order has a currency even where it tells no amount: it counts among that currency's orders.
	if (told || ev.Name == "purchase" || ev.Name == "refund") && currency == "" {
		currency = j.rules.Currency
	}
	ev.Currency = currency
	return nil
}

// item reads one line of goods. A price may be negative: shops write discounts that way. A quantity that is no whole number (cloth by
// the metre) is rounded, and is at least 1.
func (j *judge) item(in *InputItem, digits int) (Item, *Rejection) {
	item := Item{ID: text(in.ID, maxText), Name: text(in.Name, maxText), Category: text(in.Category, maxText), Variant: text(in.Variant, maxText)}
	if in.Price != "" {
		a, err := money.Parse(in.Price, digits)
		if err != nil {
			return item, reject(ReasonInvalidValue, "/price", err.Error())
		}
		item.Price = j.amount(a)
	}
	if in.Quantity != "" {
		q, err := money.Parse(in.Quantity, money.Scale) // exact decimals, of which pieces are a kind
		const one = 10_000
		if err != nil || q <= 0 || q > maxQuantity*one {
			return item, reject(ReasonInvalidValue, "/quantity", "must be a number above 0 and at most "+strconv.Itoa(maxQuantity))
		}
		item.Quantity = max(1, (int64(q)+one/2)/one)
	}
	return item, nil
}

// amount keeps an amount in the batch's store. A pointer stays good when the store has to move: it keeps the old one alive.
func (j *judge) amount(a money.Amount) *money.Amount {
	j.amounts = append(j.amounts, a)
	return &j.amounts[len(j.amounts)-1]
}

// seal encrypts what may only be read back for mail the visitor agreed to.
func (j *judge) seal(ev *Event, in *Input) error {
	var err error
	if in.Contact != "" {
		if ev.Contact, err = j.keys.Seal(j.rules.ID, "contact", []byte(in.Contact)); err != nil {
			return err
		}
	}
	if in.Cart == "" {
		return nil
	}
	// One sealing serves all events of a cart in the batch.
	if j.sealedRef == nil || j.sealedFor != in.Cart {
		if j.sealedRef, err = j.keys.Seal(j.rules.ID, "cart_ref", []byte(in.Cart)); err != nil {
			return err
		}
		j.sealedFor = in.Cart
	}
	ev.CartRef = j.sealedRef
	return nil
}
