package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

// retryAfter is when a client may try again while the spool takes nothing.
const retryAfter = 5 * time.Second

// maxErrors bounds the fields named in one error answer.
const maxErrors = 50

func decodeProblem(err error) error {
	if errors.Is(err, collector.ErrTooManyEvents) {
		return problem.New(http.StatusRequestEntityTooLarge, "too-large", "A batch takes at most 500 events: send several.")
	}
	return problem.New(http.StatusBadRequest, "malformed-json", err.Error())
}

// invalidBatch is the answer where no event can be used; each field's detail begins with the reason.
func invalidBatch(faults []collector.Rejection) error {
	p := problem.New(http.StatusUnprocessableEntity, "invalid-batch", "No event of this batch can be used; errors names the fields at fault.")
	for i := range faults {
		if i == maxErrors {
			break
		}
		p.Errors = append(p.Errors, problem.Field{Pointer: faults[i].Pointer, Detail: string(faults[i].Reason) + ": " + faults[i].Detail})
	}
	return p
}

// consentProblem turns the gate's refusals into answers.
func consentProblem(err error) error {
	var refusal *consentgate.Refusal
	if !errors.As(err, &refusal) {
		return acceptProblem(err)
	}
	status := http.StatusForbidden
	switch refusal.Slug {
	case "unknown-shop":
		status = http.StatusNotFound
	case "invalid-token":
		status = http.StatusUnauthorized
	}
	p := problem.New(status, refusal.Slug, refusal.Detail)
	if refusal.Pointer != "" {
		p.Errors = []problem.Field{{Pointer: refusal.Pointer, Detail: refusal.Detail}}
	}
	return p
}

// acceptProblem tells "not now" (the spool's or the ledger's trouble) from what is wrong in here.
func acceptProblem(err error) error {
	switch {
	case errors.Is(err, collector.ErrUnknownShop): // taken out of the configuration a moment ago
		return problem.New(http.StatusNotFound, "unknown-shop", "No shop of this id is configured here.")
	case errors.Is(err, collector.ErrNotDurable), errors.Is(err, consentgate.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return NotDurable()
	}
	return err
}

// NotDurable is the answer while the spool takes nothing: full, disk full or shutting down.
func NotDurable() error {
	p := problem.New(http.StatusServiceUnavailable, "not-durable", "The events could not be made durable just now; nothing was taken, send them again later.")
	p.RetryAfter = retryAfter
	return p
}

// writeResult answers 202. It is written by hand into the body's buffer, which is no longer needed.
func writeResult(c echo.Context, r *collector.Result, scratch *body) error {
	b := append(scratch.out[:0], `{"accepted":`...)
	b = strconv.AppendInt(b, int64(r.Accepted), 10)
	b = append(b, `,"duplicates":`...)
	b = strconv.AppendInt(b, int64(r.Duplicates), 10)
	b = append(b, `,"rejected":[`...)
	for i := range r.Rejected {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendRejection(b, &r.Rejected[i]); err != nil {
			return err
		}
	}
	b = append(b, "]}\n"...)
	scratch.out = b
	w := c.Response()
	h := w.Header()
	h["Content-Type"] = contentTypeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.WriteHeader(http.StatusAccepted)
	_, err := w.Write(b)
	return err
}

var contentTypeJSON = []string{"application/json"}

func appendRejection(b []byte, r *collector.Rejection) ([]byte, error) {
	b = append(b, `{"id":`...)
	b, err := jsontext.AppendQuote(b, r.ID)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"reason":"`...)
	b = append(b, r.Reason...) // slugs and pointers of our own making need no escapes
	b = append(b, `","pointer":"`...)
	b = append(b, r.Pointer...)
	return append(b, `"}`...), nil
}
