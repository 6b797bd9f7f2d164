package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

func checkVersion(ctx context.Context, conn driver.Conn) error {
	v, err := conn.ServerVersion()
	if err != nil {
		return fmt.Errorf("asking the warehouse for its version: %w", err)
	}
	if v.Version.Major < 25 || v.Version.Major == 25 && v.Version.Minor < 3 {
		return &VersionError{Found: fmt.Sprintf("%d.%d.%d", v.Version.Major, v.Version.Minor, v.Version.Patch)}
	}
	return nil
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

var _ = strings.TrimSpace
