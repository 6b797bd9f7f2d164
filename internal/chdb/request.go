package chdb

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// request is one statement as the ClickHouse HTTP protocol sends it.
type request struct {
	query    string
	format   string // of the answer, or of the data of an insert, unless the query names one
	database string // "" = default
	queryID  string
	settings []setting
	// names and values are the parameters; a value is escaped text, as
	// ClickHouse reads it.
	names, values []string
	// data is the body of an INSERT whose statement came apart from it; nil
	// for any other statement.
	data *bufio.Reader
	// revision of the client's protocol; 0 when it speaks none.
	revision uint64
	buffered bool // wait_end_of_query: no answer before the last row
	compress bool // answer in ClickHouse's compressed blocks
}

type setting struct{ name, value string }

// maxQuery bounds a statement that comes in the body, inline data included.
const maxQuery = 64 << 20

// tables of the protocol's own URL parameters; whatever is in neither is a
// setting and goes to the engine, which refuses the ones it does not know.
var (
	// ignoredParameters change nothing here: there are no users or quotas in
	// the embedded engine, and answers are streamed without a buffer.
	ignoredParameters = []string{"user", "password", "buffer_size", "session_timeout", "close_session"}
	// refusedParameters would change what a statement means.
	refusedParameters = []string{"session_id", "session_check", "role", "quota_key", "stacktrace"}
)

// parseRequest reads the parts of an HTTP request. The query parameter comes
// first; the body is data if that is an INSERT, else the rest of the query.
func parseRequest(req *http.Request) (*request, error) {
	if kind := req.Header.Get("Content-Type"); strings.HasPrefix(kind, "multipart/form-data") {
		return nil, refuse(codeNotImplemented, "External tables are not supported by the embedded engine")
	}
	r := &request{format: "TabSeparated"}
	if f := req.Header.Get("X-ClickHouse-Format"); f != "" {
		r.format = f
	}
	r.database = req.Header.Get("X-ClickHouse-Database")
	decompress := false
	parameters, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, refuse(codeBadArguments, "Bad URL parameters: %v", err)
	}
	for name, values := range parameters {
		value := values[len(values)-1]
		switch {
		case name == "query":
			r.query = value
		case name == "database":
			r.database = value
		case name == "default_format":
			r.format = value
		case name == "query_id":
			r.queryID = value
		case name == "client_protocol_version":
			if r.revision, err = strconv.ParseUint(value, 10, 64); err != nil {
				return nil, refuse(codeBadArguments, "Bad client_protocol_version %q", value)
			}
		case name == "wait_end_of_query":
			r.buffered = truthy(value)
		case name == "compress":
			r.compress = truthy(value)
		case name == "decompress":
			decompress = truthy(value)
		case slices.Contains(ignoredParameters, name):
		case slices.Contains(refusedParameters, name):
			return nil, refuse(codeNotImplemented, "The embedded engine does not support the URL parameter %s", name)
		case strings.HasPrefix(name, "param_"):
			r.names = append(r.names, strings.TrimPrefix(name, "param_"))
			r.values = append(r.values, value)
		default:
			r.settings = append(r.settings, setting{name, value})
		}
	}
	if req.Method != http.MethodPost {
		// As with a ClickHouse server: a GET changes nothing.
		r.settings = append(r.settings, setting{"readonly", "2"})
	}
	slices.SortFunc(r.settings, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	body, err := decodeBody(req, decompress)
	if err != nil {
		return nil, err
	}
	return r, r.attach(body)
}

func truthy(value string) bool { return value != "" && value != "0" && value != "false" }

var (
	insertStart = regexp.MustCompile(`(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*INSERT\s`)
	// formatTail is a FORMAT clause, or VALUES, that ends an INSERT.
	formatTail = regexp.MustCompile(`(?is)(?:\s(?:FORMAT\s+([A-Za-z0-9_]+))|[\s)](VALUES))\s*;?\s*$`)
	// inlineBinary is an INSERT with binary data after it in one text.
	inlineBinary = regexp.MustCompile(`(?is)^[^']*\sFORMAT\s+(Native|RowBinary\w*|Parquet|Arrow\w*|ORC|Avro|MsgPack|Protobuf\w*|CapnProto|BSON\w*)\s*[^\s;]`)
)

// attach takes the body as data of an INSERT or as (the rest of) the query.
func (r *request) attach(body *bufio.Reader) error {
	if r.query != "" && insertStart.MatchString(r.query) {
		if _, err := body.Peek(1); err == nil {
			r.data = body
			r.splitFormat()
			return nil
		} else if err != io.EOF {
			return err
		}
	}
	rest, err := io.ReadAll(io.LimitReader(body, maxQuery+1))
	if err != nil {
		return err
	}
	if len(rest) > maxQuery {
		return refuse(codeBadArguments, "The query is longer than %d bytes: send data of an INSERT in the body and the statement in the query parameter", maxQuery)
	}
	r.query += string(rest)
	if insertStart.MatchString(r.query) && inlineBinary.MatchString(r.query) {
		return refuse(codeNotImplemented, "Binary data after the INSERT: send the statement in the query parameter and the data in the body")
	}
	return nil
}

// splitFormat moves the FORMAT clause of an INSERT into r.format, which is how
// the engine's streaming insert wants it.
func (r *request) splitFormat() {
	at := formatTail.FindStringSubmatchIndex(r.query)
	switch {
	case at == nil:
	case at[2] >= 0:
		r.format = r.query[at[2]:at[3]]
		r.query = r.query[:at[0]]
	default:
		r.format = "Values"
		r.query = r.query[:at[4]]
	}
}
