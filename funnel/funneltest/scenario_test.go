package funneltest_test

import (
	"flag"
	"os"
	"testing"

	"github.com/kassa-analytics/kassa/funnel/funneltest"
)

var rewrite = flag.Bool("rewrite", false, "put the reference engine's answers into testdata")

func TestScenariosOnTheReferenceEngine(t *testing.T) {
	if *rewrite {
		if err := funneltest.RewriteAll(t.Context(), "testdata"); err != nil {
			t.Fatal(err)
		}
	}
	funneltest.RunAll(t, os.DirFS("testdata"), funneltest.ReferenceRunner{})
}
