package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Oldest is the oldest ClickHouse the statements here are written for.
const Oldest = "25.3"

// VersionError tells that the server is older than Oldest.
type VersionError struct {
	Found string // such as 18.16.1
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the warehouse needs ClickHouse ≥ %s, found %s: upgrade the server, or set warehouse: embedded", Oldest, e.Found)
}

func checkVersion(ctx context.Context, conn driver.Conn, opts *clickhouse.Options) error {
	v, err := conn.ServerVersion()
	if err != nil {
		// Over HTTP an old server stumbles over the client's greeting; ask it in a way that every server understands.
		if old := plainVersion(ctx, opts); old != nil {
			return old
		}
		return fmt.Errorf("asking the warehouse for its version: %w", err)
	}
	if tooOld(int(v.Version.Major), int(v.Version.Minor)) {
		return &VersionError{Found: fmt.Sprintf("%d.%d.%d", v.Version.Major, v.Version.Minor, v.Version.Patch)}
	}
	return nil
}

func tooOld(major, minor int) bool { return major < 25 || major == 25 && minor < 3 }

// plainVersion asks a remote server over plain HTTP; it answers a *VersionError where the server is too old, and nil in any other case.
func plainVersion(ctx context.Context, opts *clickhouse.Options) error {
	if opts.Protocol != clickhouse.HTTP || opts.TransportFunc != nil || len(opts.Addr) == 0 {
		return nil
	}
	address := url.URL{Scheme: "http", Host: opts.Addr[0], Path: "/", RawQuery: url.Values{"query": {"SELECT version()"}}.Encode()}
	client := &http.Client{Timeout: 10 * time.Second}
	if opts.TLS != nil {
		address.Scheme = "https"
		client.Transport = &http.Transport{TLSClientConfig: opts.TLS, Proxy: http.ProxyFromEnvironment}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil
	}
	if opts.Auth.Username != "" {
		req.SetBasicAuth(opts.Auth.Username, opts.Auth.Password)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64))
	found := strings.TrimSpace(string(body))
	var major, minor int
	if _, scanErr := fmt.Sscanf(found, "%d.%d", &major, &minor); err != nil || scanErr != nil || res.StatusCode != http.StatusOK || !tooOld(major, minor) {
		return nil
	}
	return &VersionError{Found: found}
}

// Codes of ClickHouse that this package tells apart.
const (
	unknownTable    = 60
	tableExists     = 57
	unknownDatabase = 81
)

// exception tells whether err is ClickHouse's own answer with one of the codes.
func exception(err error, codes ...int32) bool {
	var x *clickhouse.Exception
	if !errors.As(err, &x) {
		return false
	}
	for _, code := range codes {
		if x.Code == code {
			return true
		}
	}
	return false
}
