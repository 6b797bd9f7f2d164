// Package problem is the one form in which Kassa's HTTP interfaces report an error: RFC 9457 problem details.
package problem

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"
)

// ContentType of every error answer (RFC 9457, section 3).
const ContentType = "application/problem+json"

// Details is an error answer. It is an error, so that handlers return it and one error handler writes it.
type Details struct {
	// Type is one of the slugs of the API description, such as "consent-required".
	Type string `json:"type"`
	// Title is the slug in words, the same for every occurrence.
	Title string `json:"title"`
	// Status is the HTTP status code.
	Status int `json:"status"`
	// Detail says what went wrong here and what to do; never personal data.
	Detail string `json:"detail,omitzero"`
	// Errors names the fields at fault.
	Errors []Field `json:"errors,omitempty"`
	// RetryAfter, where not 0, becomes the Retry-After header, rounded up to whole seconds.
	RetryAfter time.Duration `json:"-"`
}

// Field is one field at fault: a JSON pointer (RFC 6901) and what is wrong there.
type Field struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// New makes an error answer; the title is the slug in words.
func New(status int, slug, detail string, fields ...Field) *Details {
	return &Details{Type: slug, Title: title(slug), Status: status, Detail: detail, Errors: fields}
}

// Error makes Details an error.
func (d *Details) Error() string { return d.Type + ": " + d.Detail }

// title turns "consent-required" into "Consent required".
func title(slug string) string {
	b := []byte(slug)
	for i, c := range b {
		if c == '-' {
			b[i] = ' '
		}
	}
	if len(b) > 0 && b[0] >= 'a' && b[0] <= 'z' {
		b[0] -= 'a' - 'A'
	}
	return string(b)
}

// Write sends the error answer.
func (d *Details) Write(w http.ResponseWriter) error {
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if d.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((d.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(d.Status)
	_, err = w.Write(body)
	return err
}

// ErrorHandler is the echo error handler of both listeners: Details as they are, echo's own errors (404, 405, 413 …) under the
// slug nearest to them, anything else as 500 without its text, which goes to report instead (never to the caller).
func ErrorHandler(report func(c echo.Context, err error)) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return
		}
		d := From(err)
		if d.Status >= 500 && d.Status != http.StatusServiceUnavailable {
			report(c, err)
		}
		if c.Request().Method == http.MethodHead {
			_ = c.NoContent(d.Status)
			return
		}
		if werr := d.Write(c.Response()); werr != nil {
			report(c, werr)
		}
	}
}

// From turns any error into an error answer.
func From(err error) *Details {
	var d *Details
	if errors.As(err, &d) {
		return d
	}
	var he *echo.HTTPError
	if errors.As(err, &he) {
		switch he.Code {
		case http.StatusNotFound:
			return New(he.Code, "not-found", "Nothing is served at this path on this listener.")
		case http.StatusMethodNotAllowed:
			return New(he.Code, "method-not-allowed", "This path does not take this method.")
		case http.StatusRequestEntityTooLarge:
			return New(he.Code, "too-large", "The body is larger than this path takes.")
		case http.StatusUnsupportedMediaType:
			return New(he.Code, "unsupported-media-type", "Send application/json or text/plain.")
		case http.StatusBadRequest:
			return New(he.Code, "malformed-request", "The request could not be understood.")
		}
		return New(he.Code, "error", http.StatusText(he.Code))
	}
	return New(http.StatusInternalServerError, "internal-error", "Something went wrong on this side; the log has the reason under this request's id.")
}
