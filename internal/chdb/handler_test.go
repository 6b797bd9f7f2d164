package chdb_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// overHTTP serves the test engine on a loopback listener and returns plain
// clickhouse-go options that reach it, without the in-process transport.
func overHTTP(t *testing.T, compression clickhouse.CompressionMethod) *clickhouse.Options {
	t.Helper()
	database := chdbtest.Options(t).Auth.Database
	server := httptest.NewServer(chdbtest.Engine(t).Handler())
	t.Cleanup(server.Close)
	options, err := clickhouse.ParseDSN(server.URL + "/" + database)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(server.URL, "http://127.0.0.1:") {
		t.Fatalf("served on %s, want loopback", server.URL)
	}
	options.Compression = &clickhouse.Compression{Method: compression}
	return options
}

func TestHTTPProtocol(t *testing.T) {
	server := httptest.NewServer(chdbtest.Engine(t).Handler())
	defer server.Close()
	database := chdbtest.Options(t).Auth.Database
	do := func(method, path, body string, header ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(text)
	}
	in := "&database=" + database
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     string // the whole body, or its beginning where it ends in …
		code                     string
	}{
		{"ping", "GET", "/ping", "", nil, 200, "Ok.\n", ""},
		{"query in the address", "GET", "/?query=SELECT+1,+2", "", nil, 200, "1\t2\n", ""},
		{"query in the body", "POST", "/", "SELECT 'é'", nil, 200, "é\n", ""},
		{"query in both", "POST", "/?query=SELECT+1", "+ 41", nil, 200, "42\n", ""},
		{"default format", "POST", "/?default_format=JSONEachRow", "SELECT 1 AS x", nil, 200, "{\"x\":1}\n", ""},
		{"format of the query", "POST", "/?default_format=Native", "SELECT 1 AS x FORMAT CSVWithNames", nil, 200, "\"x\"\n1\n", ""},
		{"whole document", "POST", "/", "SELECT number FROM numbers(70000) FORMAT JSONCompactColumns", nil, 200, "[\n\t[0, 1, …", ""},
		{"head of an empty answer", "POST", "/", "SELECT 1 AS x WHERE 0 FORMAT CSVWithNames", nil, 200, "\"x\"\n", ""},
		{"typed parameter", "GET", "/?query=SELECT+{s:String},{n:UInt8}&param_s=it's&param_n=7", "", nil, 200, "it\\'s\t7\n", ""},
		{"setting", "GET", "/?query=SELECT+getSetting('max_threads')&max_threads=3", "", nil, 200, "3\n", ""},
		{"wait for the end", "POST", "/?wait_end_of_query=1", "SELECT throwIf(number = 500000) FROM numbers(1000000)", nil, 500, "Code: 395. DB::Exception: …", "395"},
		{"table", "POST", "/?query=CREATE+TABLE+t+(x+UInt8,+s+String)+ENGINE=Memory" + in, "", nil, 200, "", ""},
		{"data of an insert", "POST", "/?query=INSERT+INTO+t+FORMAT+CSV" + in, "1,one\n2,two\n", nil, 200, "", ""},
		{"data of an insert, VALUES", "POST", "/?query=INSERT+INTO+t+VALUES" + in, "(3,'three')", nil, 200, "", ""},
		{"insert in one body", "POST", "/?database=" + database, "INSERT INTO t FORMAT TSV\n4\tfour\n", nil, 200, "", ""},
		{"binary insert in one body", "POST", "/?database=" + database, "INSERT INTO t FORMAT RowBinary\n\x05\x01a", nil, 501, "Code: 48. …", "48"},
		{"bad data", "POST", "/?query=INSERT+INTO+t+FORMAT+CSV" + in, "1,one\nx,", nil, 400, "Code: 27. …", "27"},
		{"what was stored", "GET", "/?query=SELECT+groupArraySorted(9)(s)+FROM+t" + in, "", nil, 200, "['four','one','three','two']\n", ""},
		{"gzip body", "POST", "/", gzipped(t, "SELECT 5"), []string{"Content-Encoding", "gzip"}, 200, "5\n", ""},
		{"other encoding", "POST", "/", "x", []string{"Content-Encoding", "br"}, 501, "Code: 48. …", "48"},
		{"GET changes nothing", "GET", "/?query=DROP+TABLE+t" + in, "", nil, 500, "Code: 164. …", "164"},
		{"no query", "POST", "/", " \n", nil, 400, "Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)\n", "62"},
		{"unknown table", "POST", "/", "SELECT * FROM nosuch", nil, 404, "Code: 60. DB::Exception: …", "60"},
		{"unknown database", "POST", "/?database=nosuch", "SELECT 1", nil, 404, "Code: 81. …", "81"},
		{"a page in a browser", "POST", "/", "SELECT 1", []string{"Origin", "https://evil.example"}, 403, "requests of browsers are refused\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path, query, _ := strings.Cut(test.path, "?")
			if query != "" {
				path += "?" + strings.NewReplacer("'", "%27", "{", "%7B", "}", "%7D").Replace(query)
			}
			res, body := do(test.method, path, test.body, test.header...)
			if res.StatusCode != test.status || res.Header.Get("X-ClickHouse-Exception-Code") != test.code {
				t.Errorf("status %d, code %q; want %d and %q; body %s", res.StatusCode, res.Header.Get("X-ClickHouse-Exception-Code"), test.status, test.code, body)
			}
			start, cut := strings.CutSuffix(test.want, "…")
			if cut && !strings.HasPrefix(body, start) || !cut && body != test.want {
				t.Errorf("got %.200q, want %q", body, test.want)
			}
		})
	}
	res, _ := do("POST", "/?query=INSERT+INTO+t+VALUES&query_id=mine"+in, "(9,'nine')")
	if got := res.Header.Get("X-ClickHouse-Summary"); !strings.Contains(got, `"written_rows":"1"`) {
		t.Errorf("summary %s", got)
	}
	if got := res.Header.Get("X-ClickHouse-Query-Id"); got != "mine" {
		t.Errorf("query id %q", got)
	}
	if _, body := do("POST", "/", "SELECT throwIf(number = 3000000), number FROM numbers(10000000) SETTINGS max_threads = 1"); !strings.HasSuffix(body, "\r\n__exception__\r\n") || !strings.Contains(body, "Code: 395. ") {
		t.Errorf("an error after the first rows: the body ends in %q", body[max(0, len(body)-300):])
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.String()
}

// An insert whose sender goes away half-way stores nothing.
func TestBrokenInsertStoresNothing(t *testing.T) {
	options := overHTTP(t, clickhouse.CompressionNone)
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(t.Context(), "CREATE TABLE t (x UInt64) ENGINE = MergeTree ORDER BY x"); err != nil {
		t.Fatal(err)
	}
	half := strings.Repeat("1\n", 100000)
	for name, request := range map[string]string{
		"length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 2*len(half), half),
		"chunks": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(half), half),
	} {
		t.Run(name, func(t *testing.T) {
			wire, err := net.Dial("tcp", options.Addr[0])
			if err != nil {
				t.Fatal(err)
			}
			defer wire.Close()
			if _, err := fmt.Fprintf(wire, "POST /?query=INSERT+INTO+t+FORMAT+TSV&database=%s HTTP/1.1\r\nHost: engine\r\n%s",
				options.Auth.Database, request); err != nil {
				t.Fatal(err)
			}
			if err := wire.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(wire)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(answer), "HTTP/1.1 200") {
				t.Errorf("a broken insert was answered with %q", answer)
			}
			if n := count(t, conn, "SELECT count() FROM t"); n != 0 {
				t.Errorf("%d rows of a broken insert were stored", n)
			}
		})
	}
}
