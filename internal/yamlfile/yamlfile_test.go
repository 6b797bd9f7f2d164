package yamlfile

import (
	"strings"
	"testing"
)

func TestEverythingWrongIsReportedWithItsLine(t *testing.T) {
	content := `a: 1
b: [x, y]
c:
  d: maybe
  e: 3
f: {g: 1}
h: -4
`
	var p Problems
	root, ok := Parse("t.yaml", []byte(content), &p)
	if !ok {
		t.Fatal(p.Err())
	}
	var a string
	var b []string
	var d bool
	var h int
	root.Map(Keys{
		"a": String(&a), "b": Strings(&b),
		"c": func(n Node) { n.Map(Keys{"d": Bool(&d)}) },
		"f": String(new(string)),
		"h": Int(&h, 0),
	})
	if a != "1" || strings.Join(b, ",") != "x,y" {
		t.Errorf("a = %q, b = %q", a, b)
	}
	want := `t.yaml:4: c.d: "maybe" is neither true nor false; write one of them
t.yaml:5: c.e: is not a key here; known are d
t.yaml:6: f: must be one value, not a list or mapping
t.yaml:7: h: "-4" is not a whole number of at least 0; write one`
	if got := p.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	for _, tt := range []struct{ name, content, want string }{
		{"twice", "a: 1\nb: 2\na: 3\n", "t.yaml:3: "},
		{"indentation", "a:\n  b: 1\n c: 2\n", "t.yaml:"},
		{"unclosed", "a: [1, 2\n", "t.yaml:1: "},
		{"two documents", "a: 1\n---\nb: 2\n", "t.yaml:3: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Problems
			if _, ok := Parse("t.yaml", []byte(tt.content), &p); ok {
				t.Fatal("accepted")
			}
			if got := p.Err().Error(); !strings.HasPrefix(got, tt.want) || strings.Contains(got, "\n") {
				t.Errorf("got %q, want one line that starts with %q", got, tt.want)
			}
		})
	}
}

func TestAliasesAndEmptyFiles(t *testing.T) {
	var p Problems
	root, _ := Parse("t.yaml", []byte("a: &x [1h, 2h]\nb: *x\n"), &p)
	var a, b []string
	root.Map(Keys{"a": Strings(&a), "b": Strings(&b)})
	if p.Err() != nil || strings.Join(b, " ") != "1h 2h" {
		t.Errorf("b = %q, %v", b, p.Err())
	}
	for _, content := range []string{"", "# nothing\n", "\n"} {
		root, ok := Parse("t.yaml", []byte(content), &p)
		if !ok {
			t.Fatal(p.Err())
		}
		root.Map(Keys{})
	}
	if p.Err() != nil {
		t.Error(p.Err())
	}
}
