package consentgate

import (
	"context"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Action is what a ledger row tells.
type Action string

const (
	// ActionGrant: the visitor allowed at least one purpose; the row is behind a receipt.
	ActionGrant Action = "grant"
	// ActionWithdrawal: the visitor took back what was allowed before.
	ActionWithdrawal Action = "withdrawal"
	// ActionRefusal: someone allowed nothing and had allowed nothing before. Such a row carries no visitor and its times are cut to
	// the quarter of an hour: it is one more in a count, nothing else.
	ActionRefusal Action = "refusal"
)

// AllPurposes in Record.Revoked stands for every purpose, also those configured later.
const AllPurposes = "*"

// Record is one row of the append-only consent ledger. It travels in the spool as CBOR, so a field's number never changes its meaning.
// Times are Unix milliseconds UTC.
type Record struct {
	ID      string      `cbor:"1,keyasint"` // unique; the receipt's id for a grant
	Shop    string      `cbor:"2,keyasint"`
	Visitor Pseudonym   `cbor:"3,keyasint,omitempty"` // 0 for a refusal
	Aliases []Pseudonym `cbor:"4,keyasint,omitempty"` // the same visitor under older live keys
	Action  Action      `cbor:"5,keyasint"`
	// ReceiptID is the receipt issued (grant), or the one presented (withdrawal; empty where there was none).
	ReceiptID string   `cbor:"6,keyasint,omitempty"`
	Granted   []string `cbor:"7,keyasint,omitempty"` // purposes allowed, sorted
	Denied    []string `cbor:"8,keyasint,omitempty"` // purposes asked for and not allowed, sorted
	// Revoked are the purposes this decision takes back, or AllPurposes: every receipt given at or before GivenAt is overridden for
	// them. A grant names here what it allows but a newer decision had taken back before it was reported. Restore lives on these.
	Revoked []string `cbor:"9,keyasint,omitempty"`
	Choices []byte   `cbor:"10,keyasint,omitempty"` // JSON object: purpose → details, such as the frequency of mail

	NoticeVersion  string `cbor:"11,keyasint,omitempty"`
	NoticeLanguage string `cbor:"12,keyasint,omitempty"`
	NoticeSHA256   string `cbor:"13,keyasint,omitempty"` // hex; empty where no notices are configured
	Source         string `cbor:"14,keyasint,omitempty"` // banner, tcf, api …
	AttestedBy     string `cbor:"15,keyasint,omitempty"` // name of the token that vouches for it; empty: the visitor's own browser

	GivenAt    int64 `cbor:"16,keyasint"`           // when the visitor decided
	RecordedAt int64 `cbor:"17,keyasint"`           // when this row was written
	ExpiresAt  int64 `cbor:"18,keyasint,omitempty"` // grants only
	Erase      bool  `cbor:"19,keyasint,omitempty"` // the visitor's data is to be erased, and must not come back
}

// Ledger takes in consent records.
type Ledger interface {
	// Append returns once the record is on disk (fsynced); an error means that it may not be.
	Append(ctx context.Context, r Record) error
}

// History answers from the ledger kept in the warehouse.
type History interface {
	// LatestDecisions are the ledger rows of one visitor (under any of the pseudonyms), at least the newest for each purpose granted,
	// denied or revoked, in any order; none is no error. It must not hide rows that the warehouse has acknowledged.
	LatestDecisions(ctx context.Context, shop string, visitor []Pseudonym) ([]Record, error)
}

// EncodeRecord writes a record as it lies in the spool: one CBOR map (RFC 8949) with integer keys.
func EncodeRecord(r Record) ([]byte, error) {
	b, err := cbor.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding a consent record: %w", err)
	}
	return b, nil
}

// DecodeRecord reads what EncodeRecord wrote; unknown keys, of a newer version, are passed over.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if err := cbor.Unmarshal(b, &r); err != nil {
		return Record{}, fmt.Errorf("decoding a consent record: %w", err)
	}
	return r, nil
}
