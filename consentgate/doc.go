// Package consentgate is the gate every event passes: it records consent, proves it with signed receipts, turns identifiers into
// keyed pseudonyms, and makes the only Permit with which an event can be stored.
package consentgate
