package problem

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

func TestErrorHandler(t *testing.T) {
	limited := New(http.StatusTooManyRequests, "rate-limited", "Slow down.")
	limited.RetryAfter = 1500 * time.Millisecond
	for _, c := range []struct {
		name, body, retry string
		err               error
		status, reported  int
	}{
		{"details", `{"type":"invalid-batch","title":"Invalid batch","status":422,"detail":"No event is usable.","errors":[{"pointer":"/events/0/value","detail":"is not a decimal number"}]}`, "",
			fmt.Errorf("accept: %w", New(422, "invalid-batch", "No event is usable.", Field{"/events/0/value", "is not a decimal number"})), 422, 0},
		{"retry", `{"type":"rate-limited","title":"Rate limited","status":429,"detail":"Slow down."}`, "2", limited, 429, 0},
		{"not found", `{"type":"not-found","title":"Not found","status":404,"detail":"Nothing is served at this path on this listener."}`, "", echo.ErrNotFound, 404, 0},
		{"unknown", `{"type":"internal-error","title":"Internal error","status":500,"detail":"Something went wrong on this side; the log has the reason under this request's id."}`, "", errors.New("secret"), 500, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec, reported := httptest.NewRecorder(), 0
			ctx := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), rec)
			ErrorHandler(func(echo.Context, error) { reported++ })(c.err, ctx)
			if rec.Code != c.status || rec.Body.String() != c.body || rec.Header().Get("Content-Type") != ContentType || rec.Header().Get("Retry-After") != c.retry || reported != c.reported {
				t.Errorf("got %d %q %v, reported %d", rec.Code, rec.Body, rec.Header(), reported)
			}
		})
	}
}
