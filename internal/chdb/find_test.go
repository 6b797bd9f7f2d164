package chdb_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kassa-analytics/kassa/internal/chdb"
)

func TestFindLibrary(t *testing.T) {
	root := t.TempDir()
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	place := func(parts ...string) string {
		path := filepath.Join(append([]string{root}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	named := place("named", "engine.so")
	beside := place("bin", "libchdb.so")
	suffix := map[string]string{"linux": "-gnu"}[runtime.GOOS]
	npm := place("work", "node_modules", "@chdb", "lib-"+runtime.GOOS+"-"+arch+suffix, "libchdb.so")
	place("other", "node_modules", "@chdb", "lib-plan9-mips", "libchdb.so")

	tests := []struct {
		name, variable, exe, work string
		want, errText             string
	}{
		{"the variable first", named, "bin", "work", named, ""},
		{"then beside the binary", "", "bin", "work", beside, ""},
		{"then the npm package", "", "none", "work", npm, ""},
		{"another platform's package", "", "none", "other", "", "run `npm ci` in the checkout, or set KASSA_ENGINE_LIB"},
		{"the variable names nothing", filepath.Join(root, "gone"), "bin", "work", "", "KASSA_ENGINE_LIB names no engine library"},
		{"the variable names a directory", root, "bin", "work", "", "is not a file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := func(name string) string {
				if name != "KASSA_ENGINE_LIB" {
					t.Errorf("asked for %s", name)
				}
				return test.variable
			}
			got, err := chdb.FindLibrary(env, filepath.Join(root, test.exe), filepath.Join(root, test.work))
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if (err != nil) != (test.errText != "") || err != nil && !strings.Contains(err.Error(), test.errText) {
				t.Errorf("got error %v, want %q", err, test.errText)
			}
		})
	}
}
