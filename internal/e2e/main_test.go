package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kassa-analytics/kassa/internal/chdb"
)

// programs is where the programs under test are; TestMain fills it in once.
var programs struct {
	kassa  string // built from this checkout
	engine string // the engine library, for the processes started
	root   string // of the checkout
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(build(m))
}

func build(m *testing.M) int {
	if testing.Short() {
		return m.Run() // every test skips
	}
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "kassa-e2e-bin-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if programs.engine, err = chdb.FindLibrary(os.Getenv, dir, root); err != nil {
		return fail(err)
	}
	programs.root, programs.kassa = root, filepath.Join(dir, "kassa")
	c := exec.Command("go", "build", "-o", programs.kassa, "./cmd/kassa")
	c.Dir, c.Stderr = root, os.Stderr
	if err := c.Run(); err != nil {
		return fail(fmt.Errorf("building kassa: %w", err))
	}
	return m.Run()
}
