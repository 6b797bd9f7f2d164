// Package httpapi answers the public HTTP interface of consent: decisions, withdrawals, a visitor's own data, and the keys that check receipts.
package httpapi
