package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 16 << 10

// instant is how answers write times: RFC 3339, UTC, milliseconds.
const instant = "2006-01-02T15:04:05.000Z07:00"

type consentRequest struct {
	Shop     string             `json:"shop"`
	Visitor  string             `json:"visitor"`
	Purposes map[string]bool    `json:"purposes"`
	Choices  jsontext.Value     `json:"choices"`
	Notice   consentgate.Notice `json:"notice"`
	Source   string             `json:"source"`
	GivenAt  jsontext.Value     `json:"given_at"` // RFC 3339 or Unix ms
}

type withdrawRequest struct {
	Receipt string `json:"receipt"`
	Erase   bool   `json:"erase"`
}

type consentAnswer struct {
	Receipt   string          `json:"receipt"`
	ReceiptID string          `json:"receipt_id"`
	Purposes  map[string]bool `json:"purposes"`
	GivenAt   string          `json:"given_at"`
	IssuedAt  string          `json:"issued_at"`
	ExpiresAt string          `json:"expires_at"`
}

// refusedAnswer is {"receipt":null}.
type refusedAnswer struct {
	Receipt *string `json:"receipt"`
}

// choices are nil where there are none.
func (r consentRequest) choices() jsontext.Value {
	if r.Choices.Kind() == jsontext.KindNull {
		return nil
	}
	return r.Choices
}

// givenAt reads given_at; zero where it is missing.
func (r consentRequest) givenAt() (time.Time, error) {
	fault := problem.New(http.StatusBadRequest, "invalid-parameter", "given_at is RFC 3339 or Unix milliseconds.", problem.Field{Pointer: "/given_at", Detail: "is neither RFC 3339 nor Unix milliseconds"})
	switch r.GivenAt.Kind() {
	case jsontext.KindInvalid, jsontext.KindNull:
		return time.Time{}, nil
	case jsontext.KindNumber:
		ms, err := strconv.ParseInt(string(r.GivenAt), 10, 64)
		if err != nil || ms <= 0 || ms > 253402300799999 { // the end of year 9999
			return time.Time{}, fault
		}
		return time.UnixMilli(ms).UTC(), nil
	case jsontext.KindString:
		text, err := jsontext.AppendUnquote(nil, r.GivenAt)
		if err != nil {
			return time.Time{}, fault
		}
		t, err := time.Parse(time.RFC3339, string(text))
		if err != nil || t.IsZero() {
			return time.Time{}, fault
		}
		return t.UTC(), nil
	}
	return time.Time{}, fault
}

// decode reads a body strictly: bounded, application/json or text/plain (which needs no preflight), no name twice, no broken UTF-8, nothing
// after the object. Unknown fields are passed over.
func decode[T any](req *http.Request) (in T, err error) {
	if !acceptable(req.Header.Get("Content-Type")) || req.Header.Get("Content-Encoding") != "" {
		return in, problem.New(http.StatusUnsupportedMediaType, "unsupported-media-type", "Send application/json or text/plain, without Content-Encoding.")
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	if err != nil {
		return in, problem.New(http.StatusBadRequest, "malformed-json", "The body could not be read to its end.")
	}
	if len(body) > maxBody {
		return in, problem.New(http.StatusRequestEntityTooLarge, "too-large", "The body is larger than 16 KiB.")
	}
	if kind := jsontext.Value(body).Kind(); kind != jsontext.KindBeginObject {
		return in, problem.New(http.StatusBadRequest, "malformed-json", "The body is not a JSON object.")
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return in, malformed(err)
	}
	return in, nil
}

// malformed says where the JSON is at fault, without repeating what stands there.
func malformed(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		detail := "The body is not JSON: fault at byte " + strconv.FormatInt(syntax.ByteOffset, 10) + "."
		if errors.Is(err, jsontext.ErrDuplicateName) {
			detail = "A name stands twice in one object, at byte " + strconv.FormatInt(syntax.ByteOffset, 10) + "."
		}
		return problem.New(http.StatusBadRequest, "malformed-json", detail)
	}
	p := problem.New(http.StatusBadRequest, "malformed-json", "A field is of another JSON type than it has to be.")
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && len(semantic.JSONPointer) <= 200 {
		p.Errors = []problem.Field{{Pointer: string(semantic.JSONPointer), Detail: "is of the wrong type"}}
	}
	return p
}

// acceptable tells application/json and text/plain, with any parameters, and a missing type.
func acceptable(header string) bool {
	if strings.TrimSpace(header) == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return t == "application/json" || t == "text/plain"
}

// write answers with JSON that nobody may cache: it is about one person.
func write(c echo.Context, status int, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(status, "application/json", b)
}
