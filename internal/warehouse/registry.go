package warehouse

// PersonalTable is a table that carries pseudonyms: what it keeps of whom, how long, and what for. The register of processing, access
// and erasure all go by this one list.
type PersonalTable struct {
	Name string
	// Visitor is the column with the visitor's pseudonym, Visitors one that lists several (empty: none).
	Visitor, Visitors string
	// Customer is the column with the customer's pseudonym, empty: none.
	Customer string
	// Time is the column that retention counts from.
	Time string
	// Category is the retention category: events, sessions, carts, orders, consents.
	Category string
	// Derived tells that rows are made again from other tables of this list.
	Derived bool
	Purpose string
}

// PersonalTables lists every table that carries a pseudonym for longer than a few days.
func PersonalTables() []PersonalTable {
	return []PersonalTable{
		{Name: "events", Visitor: "visitor", Customer: "customer", Time: "time", Category: "events", Purpose: "what visitors did in the shop, as they consented to"},
		{Name: "session_events", Visitor: "visitor", Time: "time", Category: "events", Derived: true, Purpose: "telling a visitor's sessions apart"},
		{Name: "cart_events", Visitor: "visitor", Customer: "customer", Time: "time", Category: "carts", Derived: true, Purpose: "telling what became of a cart"},
		{Name: "order_events", Visitor: "visitor", Customer: "customer", Time: "time", Category: "orders", Derived: true, Purpose: "telling orders and refunds apart"},
		{Name: "identities", Visitor: "visitor", Customer: "customer", Time: "last_seen", Category: "orders", Derived: true, Purpose: "counting a customer once who comes with several devices"},
		{Name: "session_facts", Visitor: "visitor", Time: "start", Category: "sessions", Derived: true, Purpose: "how visitors came to the shop"},
		{Name: "cart_facts", Visitor: "visitor", Visitors: "visitors", Customer: "customer", Time: "last_activity", Category: "carts", Derived: true, Purpose: "where carts are given up; reminding those who allowed it"},
		{Name: "order_facts", Visitor: "visitor", Visitors: "visitors", Customer: "customer", Time: "time", Category: "orders", Derived: true, Purpose: "counting customers, orders and revenue"},
		{Name: "consents", Visitor: "visitor", Visitors: "aliases", Time: "given_at", Category: "consents", Purpose: "proof of consent (GDPR Art. 7(1))"},
	}
}
