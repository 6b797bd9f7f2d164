// Package internal_test holds the repository to its architecture: imports point one way.
package internal_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/kassa-analytics/kassa/"

// forbidden says which of our packages a package (and those below it) may not import, and why. Leaf packages that know nothing of the
// product (money, problem) are open to all.
var forbidden = []struct {
	from, to, why string
	exactly       bool // only the package itself, not those below it
}{
	{from: "consentgate", to: "collector", why: "consentgate imports nothing of the product"},
	{from: "consentgate", to: "funnel", why: "consentgate imports nothing of the product"},
	{from: "consentgate", to: "internal/warehouse", why: "consentgate imports nothing of the product"},
	{from: "funnel", to: "collector", why: "funnel reads facts, not what is collected", exactly: true},
	{from: "funnel", to: "internal/warehouse", why: "funnel reads through clickhouse-go alone", exactly: true},
	{from: "collector", to: "funnel", why: "collecting knows no reports"},
	{from: "collector", to: "internal/warehouse", why: "the collector hands over to a spool, not to the warehouse"},
	{from: "internal/warehouse", to: "funnel", why: "the warehouse keeps facts and answers no report"},
	{from: "internal/chdb", to: "", why: "the engine's adapter knows nothing of the product", exactly: true},
	{from: "internal/money", to: "", why: "a leaf package", exactly: true},
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("listing the module's imports: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Fields(line)
		from := strings.TrimPrefix(fields[0], module)
		for _, imported := range fields[1:] {
			to, ours := strings.CutPrefix(imported, module)
			for _, f := range forbidden {
				if ours && within(from, f.from, f.exactly) && within(to, f.to, false) {
					t.Errorf("%s imports %s: %s", from, to, f.why)
				}
			}
		}
		if strings.HasSuffix(from, "httpapi") || from == "internal/problem" || strings.HasPrefix(from, "cmd/") || strings.HasPrefix(from, "internal/") {
			continue
		}
		if strings.Contains(line, "labstack/echo") {
			t.Errorf("%s imports echo: its types stay inside httpapi packages, so that another version changes those alone", from)
		}
	}
}

// within tells whether pkg is root or lies below it; an empty root holds everything.
func within(pkg, root string, exactly bool) bool {
	return pkg == root || !exactly && (root == "" || strings.HasPrefix(pkg, root+"/"))
}
