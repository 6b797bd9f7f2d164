package consentgate

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tink-crypto/tink-go/v2/jwt"
)

const (
	// receiptIssuer is the iss claim; which installation it was, the key tells.
	receiptIssuer = "kassa"
	// receiptType is the typ header (RFC 8725, section 3.11): no other token of ours can pass for a receipt.
	receiptType = "consent-receipt+jwt"
	// maxReceipt bounds what is even looked at, in bytes; an issued receipt has less than 3 KiB.
	maxReceipt = 4 << 10
	// instant is RFC 3339 in UTC with milliseconds; NumericDate claims have whole seconds only.
	instant = "2006-01-02T15:04:05.000Z07:00"
)

// Notice is the text a visitor was shown.
type Notice struct {
	Version  string `json:"version"`
	Language string `json:"language"`
	// SHA256 of the text, hex; empty where no notices are configured.
	SHA256 string `json:"-"`
}

// Receipt is what a visitor gets for a consent: a JWT (RFC 7519) signed with ES256, fields after ISO/IEC TS 27560.
// All times are UTC, to the millisecond; ExpiresAt to the second.
type Receipt struct {
	ID         string          // jti
	Shop       string          // aud
	Visitor    Pseudonym       // sub, 16 hex digits
	Purposes   map[string]bool // purposes
	Choices    jsontext.Value  // choices: JSON object, nil where there are none
	Notice     Notice          // notice: {version, language, sha256|null}
	Source     string          // source
	AttestedBy string          // attested_by, where a token vouches for it
	GivenAt    time.Time       // given_at
	IssuedAt   time.Time       // iat
	ExpiresAt  time.Time       // exp
}

// SignReceipt writes the receipt as a compact JWS.
func (k *Keys) SignReceipt(r Receipt) (string, error) {
	purposes := make(map[string]any, len(r.Purposes))
	for p, granted := range r.Purposes {
		purposes[p] = granted
	}
	notice := map[string]any{"version": r.Notice.Version, "language": r.Notice.Language, "sha256": nil}
	if r.Notice.SHA256 != "" {
		notice["sha256"] = r.Notice.SHA256
	}
	claims := map[string]any{"given_at": r.GivenAt.UTC().Format(instant), "purposes": purposes, "notice": notice, "source": r.Source}
	if len(r.Choices) > 0 {
		var choices any
		if err := json.Unmarshal(r.Choices, &choices); err != nil {
			return "", fmt.Errorf("signing a receipt: choices: %w", err)
		}
		claims["choices"] = choices
	}
	if r.AttestedBy != "" {
		claims["attested_by"] = r.AttestedBy
	}
	issuer, typ, sub := receiptIssuer, receiptType, r.Visitor.String()
	raw, err := jwt.NewRawJWT(&jwt.RawJWTOptions{
		TypeHeader: &typ, Issuer: &issuer, JWTID: &r.ID, Subject: &sub, Audience: &r.Shop,
		IssuedAt: &r.IssuedAt, ExpiresAt: &r.ExpiresAt, CustomClaims: claims,
	})
	if err != nil {
		return "", fmt.Errorf("signing a receipt: %w", err)
	}
	compact, err := k.signer.SignAndEncode(raw)
	if err != nil {
		return "", fmt.Errorf("signing a receipt: %w", err)
	}
	return compact, nil
}

// receiptClaims is the payload as it is read back.
type receiptClaims struct {
	ID         string          `json:"jti"`
	Subject    string          `json:"sub"`
	Audience   string          `json:"aud"`
	IssuedAt   int64           `json:"iat"`
	ExpiresAt  int64           `json:"exp"`
	GivenAt    time.Time       `json:"given_at"`
	Purposes   map[string]bool `json:"purposes"`
	Choices    jsontext.Value  `json:"choices"`
	Source     string          `json:"source"`
	AttestedBy string          `json:"attested_by"`
	Notice     struct {
		Version  string  `json:"version"`
		Language string  `json:"language"`
		SHA256   *string `json:"sha256"`
	} `json:"notice"`
}

// VerifyReceipt checks signature and shape of a compact JWS. It does not look at expiry or withdrawal: whoever holds an expired receipt
// may still withdraw and ask for their data. Any fault is ErrConsentInvalid.
func (k *Keys) VerifyReceipt(compact string) (Receipt, error) {
	if len(compact) > maxReceipt {
		return Receipt{}, ErrConsentInvalid
	}
	issuer, typ := receiptIssuer, receiptType
	validator, err := jwt.NewValidator(&jwt.ValidatorOpts{
		ExpectedIssuer: &issuer, ExpectedTypeHeader: &typ, IgnoreAudiences: true,
		FixedNow: time.Unix(1, 0), // expiry is judged by the caller, with its own clock
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("checking a receipt: %w", err)
	}
	if _, err := k.verifier.VerifyAndDecode(compact, validator); err != nil {
		return Receipt{}, ErrConsentInvalid
	}
	// The bytes the signature was just checked over are read as they are; tink would write them anew.
	_, rest, _ := strings.Cut(compact, ".")
	encoded, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return Receipt{}, ErrConsentInvalid
	}
	var c receiptClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Receipt{}, ErrConsentInvalid
	}
	visitor, err := ParsePseudonym(c.Subject)
	if err != nil || visitor == 0 || c.ID == "" || c.Audience == "" || c.GivenAt.IsZero() {
		return Receipt{}, ErrConsentInvalid
	}
	r := Receipt{
		ID: c.ID, Shop: c.Audience, Visitor: visitor, Purposes: c.Purposes, Choices: c.Choices,
		Notice: Notice{Version: c.Notice.Version, Language: c.Notice.Language},
		Source: c.Source, AttestedBy: c.AttestedBy,
		GivenAt: c.GivenAt.UTC(), IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(c.ExpiresAt, 0).UTC(),
	}
	if c.Notice.SHA256 != nil {
		r.Notice.SHA256 = *c.Notice.SHA256
	}
	return r, nil
}
