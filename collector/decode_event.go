package collector

import (
	"slices"
	"strconv"
)

func (d *decoder) batchField(name []byte) {
	var ok bool
	switch string(name) {
	case "shop":
		ok = d.str(&d.b.Shop)
	case "receipt":
		ok = d.str(&d.b.Receipt)
	case "visitor":
		ok = d.str(&d.b.Visitor)
	case "session":
		ok = d.str(&d.b.Session)
	case "sent_at":
		if fault := d.moment(&d.b.SentAt); fault != nil {
			d.b.faults = append(d.b.faults, *reject(fault.Reason, "/sent_at", fault.Detail))
		}
		return
	case "events":
		if d.json.PeekKind() == '[' {
			d.array(d.event)
			return
		}
		if d.json.PeekKind() == 'n' {
			d.skip()
			return
		}
		d.skip()
		d.b.faults = append(d.b.faults, *reject(ReasonInvalidValue, "/events", "must be an array"))
		return
	default:
		d.unknown()
		return
	}
	if !ok {
		d.b.faults = append(d.b.faults, *reject(ReasonInvalidValue, "/"+string(name), "must be a string"))
	}
}

func (d *decoder) event(i int) {
	if i == MaxEvents {
		d.fail(ErrTooManyEvents)
		return
	}
	if len(d.b.Events) < cap(d.b.Events) {
		d.b.Events = d.b.Events[:i+1]
	} else {
		d.b.Events = append(d.b.Events, Input{})
	}
	e := &d.b.Events[i]
	if d.json.PeekKind() != '{' {
		d.skip()
		e.wrong("", "must be an object")
		return
	}
	d.object(func(name []byte) { d.eventField(e, name) })
}

// wrong remembers the first field of an event that cannot be read.
func (e *Input) wrong(pointer, detail string) {
	if e.fault == nil {
		e.fault = reject(ReasonInvalidValue, pointer, detail)
	}
}

func (d *decoder) eventField(e *Input, name []byte) {
	switch string(name) {
	case "id":
		d.text1(e, &e.ID, name)
	case "name":
		d.text1(e, &e.Name, name)
	case "time":
		if fault := d.moment(&e.Time); fault != nil && e.fault == nil {
			fault.Pointer = "/time"
			e.fault = fault
		}
	case "page":
		d.text1(e, &e.Page, name)
	case "title":
		d.text1(e, &e.Title, name)
	case "language":
		d.text1(e, &e.Language, name)
	case "referrer":
		d.text1(e, &e.Referrer, name)
	case "campaign":
		d.nested(e, name, func(field []byte) { d.campaignField(e, field) })
	case "cart":
		d.text1(e, &e.Cart, name)
	case "order":
		d.text1(e, &e.Order, name)
	case "customer":
		d.text1(e, &e.Customer, name)
	case "contact":
		d.text1(e, &e.Contact, name)
	case "currency":
		d.text1(e, &e.Currency, name)
	case "value":
		d.decimal(e, &e.Value, name)
	case "shipping":
		d.decimal(e, &e.Shipping, name)
	case "tax":
		d.decimal(e, &e.Tax, name)
	case "fees":
		d.decimal(e, &e.Fees, name)
	case "discount":
		d.decimal(e, &e.Discount, name)
	case "coupon":
		d.text1(e, &e.Coupon, name)
	case "payment_type":
		d.text1(e, &e.PaymentType, name)
	case "shipping_tier":
		d.text1(e, &e.ShippingTier, name)
	case "error":
		d.nested(e, name, func(field []byte) { d.errorField(e, field) })
	case "items":
		d.items(e)
	default:
		d.unknown()
	}
}

func (d *decoder) text1(e *Input, into *string, name []byte) {
	if !d.str(into) {
		e.wrong("/"+string(name), "must be a string")
	}
}

func (d *decoder) decimal(e *Input, into *string, name []byte) {
	if !d.number(into) {
		e.wrong("/"+string(name), "must be a decimal number or its text")
	}
}

// nested reads an object inside an event; null is none.
func (d *decoder) nested(e *Input, name []byte, field func(name []byte)) {
	switch d.json.PeekKind() {
	case '{':
		d.object(field)
	case 'n':
		d.skip()
	default:
		d.skip()
		e.wrong("/"+string(name), "must be an object")
	}
}

func (d *decoder) campaignField(e *Input, name []byte) {
	ok := true
	switch string(name) {
	case "source":
		ok = d.str(&e.Campaign.Source)
	case "medium":
		ok = d.str(&e.Campaign.Medium)
	case "name":
		ok = d.str(&e.Campaign.Name)
	case "term":
		ok = d.str(&e.Campaign.Term)
	case "content":
		ok = d.str(&e.Campaign.Content)
	default:
		d.unknown()
	}
	if !ok {
		e.wrong("/campaign/"+string(name), "must be a string")
	}
}

func (d *decoder) errorField(e *Input, name []byte) {
	ok := true
	switch string(name) {
	case "kind":
		ok = d.str(&e.ErrorKind)
	case "detail":
		ok = d.str(&e.ErrorDetail)
	default:
		d.unknown()
	}
	if !ok {
		e.wrong("/error/"+string(name), "must be a string")
	}
}

func (d *decoder) items(e *Input) {
	switch d.json.PeekKind() {
	case '[':
	case 'n':
		d.skip()
		return
	default:
		d.skip()
		e.wrong("/items", "must be an array")
		return
	}
	start := len(d.b.items)
	d.array(func(i int) {
		if i >= MaxItems || len(d.b.items) >= maxBatchItems {
			if e.fault == nil {
				e.fault = reject(ReasonTooManyItems, "/items", "must not have more than "+strconv.Itoa(MaxItems)+" items, "+strconv.Itoa(maxBatchItems)+" in the whole batch")
			}
			d.skip()
			return
		}
		if d.json.PeekKind() != '{' {
			d.skip()
			e.wrong("/items/"+strconv.Itoa(i), "must be an object")
			return
		}
		d.b.items = append(d.b.items, InputItem{})
		at := len(d.b.items) - 1
		d.object(func(name []byte) { d.itemField(e, i, &d.b.items[at], name) })
	})
	// Items of earlier events keep pointing into the store they were written to when this one had to grow.
	e.Items = slices.Clip(d.b.items[start:])
}

func (d *decoder) itemField(e *Input, i int, item *InputItem, name []byte) {
	ok := true
	switch string(name) {
	case "id": // product ids are often bare numbers
		ok = d.number(&item.ID)
	case "name":
		ok = d.str(&item.Name)
	case "category":
		ok = d.str(&item.Category)
	case "variant":
		ok = d.str(&item.Variant)
	case "price":
		ok = d.number(&item.Price)
	case "quantity":
		ok = d.number(&item.Quantity)
	default:
		d.unknown()
	}
	if !ok {
		e.wrong("/items/"+strconv.Itoa(i)+"/"+string(name), "has the wrong type")
	}
}
