package warehouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// oldServer starts Debian's clickhouse-server, a real server that is too old, on loopback ports of its own.
func oldServer(t *testing.T) (httpAddr, nativeAddr string) {
	t.Helper()
	binary, err := exec.LookPath("clickhouse-server")
	if err != nil {
		t.Skip("needs an old server to refuse: apt-get install clickhouse-server")
	}
	dir := t.TempDir()
	httpAddr, nativeAddr = freeAddr(t), freeAddr(t)
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.xml", fmt.Sprintf(`<yandex><http_port>%s</http_port><tcp_port>%s</tcp_port><listen_host>127.0.0.1</listen_host>
<logger><level>warning</level><log>%[3]s/log</log><errorlog>%[3]s/err</errorlog></logger>
<path>%[3]s/data/</path><tmp_path>%[3]s/tmp/</tmp_path><users_config>users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>5368709120</mark_cache_size></yandex>`, port(httpAddr), port(nativeAddr), dir))
	write("users.xml", `<yandex><profiles><default/></profiles><users><default><password></password><networks><ip>::/0</ip></networks>
<profile>default</profile><quota>default</quota></default></users><quotas><default/></quotas></yandex>`)
	cmd := exec.Command(binary, "--config-file="+filepath.Join(dir, "config.xml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		res, err := http.Get("http://" + httpAddr + "/")
		if err == nil {
			res.Body.Close()
			return httpAddr, nativeAddr
		}
		if time.Now().After(deadline) {
			t.Fatalf("the old server does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestOldServerIsRefused(t *testing.T) {
	httpAddr, nativeAddr := oldServer(t)
	for _, dsn := range []string{"clickhouse://" + nativeAddr + "/kassa", "http://" + httpAddr + "/kassa", "http://default:@" + httpAddr + "/default"} {
		_, err := Open(context.Background(), Config{DSN: dsn})
		var old *VersionError
		if err == nil {
			t.Skip("the clickhouse-server installed here is recent enough")
		}
		if !errors.As(err, &old) || !strings.Contains(err.Error(), "needs ClickHouse ≥ 25.3, found 18.16.1") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestAddressIsRefusedWithoutItsPassword(t *testing.T) {
	for _, dsn := range []string{"", "mysql://u:secret@h/x", "http://u:secret@h:port/x"} {
		if _, err := Open(context.Background(), Config{DSN: dsn}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
	opts := chdbtest.Options(t)
	opts.TransportFunc, opts.Addr = nil, []string{freeAddr(t)}
	if _, err := Open(context.Background(), Config{Options: opts}); err == nil || IsDataError(err) {
		t.Errorf("nobody there: %v", err)
	}
}
