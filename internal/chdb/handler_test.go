package chdb_test

import (
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
