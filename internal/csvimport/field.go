package csvimport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

type fieldKind int

const (
	absent fieldKind = iota // left out: always the empty text
	column
	constant
	expression
)

// field is where the value of an event's field comes from.
type field struct {
	kind fieldKind
	text string // the column's name, the constant, or the expression
	when condition
	node yamlfile.Node // for errors
}

// condition is an expression that is true or false of a row; empty: always true.
type condition struct {
	text string
	node yamlfile.Node
}

func (c *condition) read(n yamlfile.Node) {
	if s, ok := n.Text(); ok {
		c.text, c.node = s, n
		if strings.TrimSpace(s) == "" {
			n.Problem("is empty; write a condition such as 'event_name == \"Purchase\"' or leave it out")
		}
	}
}

// read takes a column's name, or a mapping with one of column, const and expr and perhaps when.
func (f *field) read(n yamlfile.Node) {
	if !n.IsMap() {
		if s, ok := n.Text(); ok {
			*f = field{kind: column, text: s, node: n}
			f.check()
		}
		return
	}
	n.Map(f.keys())
	f.finish(n)
}

// keys of a field's mapping.
func (f *field) keys() yamlfile.Keys {
	set := func(kind fieldKind) func(yamlfile.Node) {
		return func(n yamlfile.Node) {
			s, ok := n.Text()
			if !ok {
				return
			}
			if f.kind != absent {
				n.Problem("stands beside another of column, const and expr; keep one of them")
				return
			}
			f.kind, f.text, f.node = kind, s, n
			f.check()
		}
	}
	return yamlfile.Keys{"column": set(column), "const": set(constant), "expr": set(expression), "when": f.when.read}
}

func (f *field) finish(n yamlfile.Node) {
	if f.kind == absent && !n.Has("column") && !n.Has("const") && !n.Has("expr") {
		n.Problem("says not where the value comes from; write one of column, const and expr")
	}
}

func (f *field) check() {
	if f.kind != constant && strings.TrimSpace(f.text) == "" {
		f.node.Problem("is empty; write a column's name or leave the field out")
	}
}

// row is one record of a file, in the forms that fields and expressions read.
type row struct {
	values []string
	env    map[string]any // by column; only kept where some expression reads it
}

// getter gives a field's value of a row; the empty text is "not told".
type getter func(*row) (string, error)

// predicate tells whether a condition holds of a row.
type predicate func(*row) (bool, error)

// binder binds fields to the columns of one file.
type binder struct {
	file    string
	columns []string
	example map[string]any // what expressions are checked against
	uses    bool           // some expression was compiled
}

func newBinder(file string, columns []string) *binder {
	b := &binder{file: file, columns: columns, example: make(map[string]any, len(columns))}
	for _, c := range columns {
		b.example[c] = ""
	}
	return b
}

func (b *binder) field(f field) getter {
	get := b.value(f)
	if f.when.text == "" {
		return get
	}
	holds := b.condition(f.when)
	return func(r *row) (string, error) {
		ok, err := holds(r)
		if !ok || err != nil {
			return "", err
		}
		return get(r)
	}
}

func nothing(*row) (string, error) { return "", nil }

func (b *binder) value(f field) getter {
	switch f.kind {
	case constant:
		return func(*row) (string, error) { return f.text, nil }
	case column:
		i := slices.Index(b.columns, f.text)
		if i < 0 {
			f.node.Problem("there is no column %q in the first line of %s; it names %s", f.text, b.file, strings.Join(b.columns, ", "))
			return nothing
		}
		return func(r *row) (string, error) { return r.values[i], nil }
	case expression:
		program := b.compile(f.text, f.node)
		if program == nil {
			return nothing
		}
		machine := new(vm.VM) // one a field: rows are read one after another
		return func(r *row) (string, error) {
			v, err := machine.Run(program, r.env)
			if err != nil {
				return "", fmt.Errorf("%s: %w", f.node.Key(), shorten(err))
			}
			return text(v, f.node.Key())
		}
	}
	return nothing
}

func (b *binder) condition(c condition) predicate {
	if c.text == "" {
		return func(*row) (bool, error) { return true, nil }
	}
	program := b.compile(c.text, c.node, expr.AsBool())
	if program == nil {
		return func(*row) (bool, error) { return false, nil }
	}
	machine := new(vm.VM)
	return func(r *row) (bool, error) {
		v, err := machine.Run(program, r.env)
		if err != nil {
			return false, fmt.Errorf("%s: %w", c.node.Key(), shorten(err))
		}
		return v.(bool), nil // AsBool checked it
	}
}

func (b *binder) compile(source string, n yamlfile.Node, options ...expr.Option) *vm.Program {
	program, err := expr.Compile(source, append(options, expr.Env(b.example))...)
	if err != nil {
		n.Problem("%v; the first line of %s names %s", shorten(err), b.file, strings.Join(b.columns, ", "))
		return nil
	}
	b.uses = true
	return program
}

// shorten keeps the first line of an expression's error: the rest draws the expression again.
func shorten(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s", first)
}

// text is an expression's result as a field's text.
func text(v any, key string) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", fmt.Errorf("%s: the expression gives neither text nor a number", key)
}
