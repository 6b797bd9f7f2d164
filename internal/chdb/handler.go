package chdb

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// Handler serves the engine over the ClickHouse HTTP protocol, so that other
// processes reach it with clickhouse-go or any client of that protocol. It
// checks neither users nor passwords: serve it on a loopback listener only.
//
//	GET|POST /?query=…&database=…&param_x=…&<setting>=…   and the query or data in the body
//	GET      /ping                                         "Ok.\n"
func (e *Engine) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "Ok.\n")
	})
	mux.HandleFunc("/", e.serveStatement)
	return mux
}

func (e *Engine) serveStatement(w http.ResponseWriter, req *http.Request) {
	// A page in a browser on this machine can reach a loopback listener too,
	// and no browser is a client of this one.
	if req.Header.Get("Origin") != "" || req.Header.Get("Sec-Fetch-Site") != "" {
		http.Error(w, "requests of browsers are refused", http.StatusForbidden)
		return
	}
	a, err := e.answer(req)
	switch {
	case req.Context().Err() != nil:
		if err == nil {
			_ = a.body.Close()
		}
		panic(http.ErrAbortHandler) // the client is gone; returning would say 200
	case errors.Is(err, ErrClosed):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		e.log.Error("statement over HTTP failed", "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer a.body.Close()
	maps.Copy(w.Header(), a.header)
	if a.length >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(a.length, 10))
	}
	w.WriteHeader(a.status)
	if _, err := io.Copy(w, a.body); err != nil && req.Context().Err() == nil {
		// The answer is cut: break the connection, so that the client does
		// not take it for whole.
		panic(http.ErrAbortHandler)
	}
}
