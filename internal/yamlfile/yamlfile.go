// Package yamlfile reads YAML files strictly: unknown keys are errors, and everything wrong is reported at once with file, line and reason.
package yamlfile

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Error is one thing wrong, and where.
type Error struct {
	File   string // or what stands in for it: a flag, an environment variable
	Line   int    // 1-based; 0 where there is no line
	Key    string // path of the value, such as shops[0].currency; may be empty
	Reason string // with the remedy
}

// Error writes "kassa.yaml:12: shops[0].currency: reason".
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Reason
}

// Problems gathers all that is wrong in one reading.
type Problems struct{ errs []error }

// Err joins the problems in the order of their lines; nil where there are none.
func (p *Problems) Err() error {
	sort.SliceStable(p.errs, func(i, j int) bool {
		var a, b *Error
		if !errors.As(p.errs[i], &a) || !errors.As(p.errs[j], &b) || a.File != b.File {
			return false
		}
		return a.Line < b.Line
	})
	return errors.Join(p.errs...)
}

// Take is Err, and forgets the problems: later readings of the same nodes start anew.
func (p *Problems) Take() error {
	err := p.Err()
	p.errs = nil
	return err
}

// Node is one value of a file, or of something that stands in for a file.
type Node struct {
	problems *Problems
	anchors  map[string]ast.Node
	file     string
	key      string
	line     int
	value    ast.Node // nil: text holds a scalar
	text     string
}

// Parse reads the one document of a file. Syntax errors and keys given twice are reported to p, and ok is false then.
// An empty file is an empty mapping.
func Parse(name string, content []byte, p *Problems) (root Node, ok bool) {
	f, err := parser.ParseBytes(content, 0)
	if err != nil {
		e := &Error{File: name, Reason: err.Error()}
		var ye yaml.Error
		if errors.As(err, &ye) {
			e.Reason = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				e.Line = t.Position.Line
			}
		}
		e.Reason += "; correct the YAML there"
		p.errs = append(p.errs, e)
		return Node{}, false
	}
	root = Node{problems: p, file: name, line: 1, anchors: map[string]ast.Node{}}
	for i, d := range f.Docs {
		if i > 0 && d.Body != nil {
			p.errs = append(p.errs, &Error{File: name, Line: lineOf(d.Body), Reason: "a second YAML document starts here; keep one document in this file"})
			return Node{}, false
		}
		if d.Body != nil {
			root.value = d.Body
			ast.Walk(anchorFinder(root.anchors), d.Body)
		}
	}
	if root.value == nil {
		root.value = &ast.MappingNode{BaseNode: &ast.BaseNode{}}
	}
	return root, true
}

// Scalar is a value that stands in no file: source names where it does stand, such as "environment variable KASSA_LISTEN".
func Scalar(source, text string, p *Problems) Node {
	return Node{problems: p, file: source, text: text}
}

type anchorFinder map[string]ast.Node

func (a anchorFinder) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok {
		a[anchor.Name.GetToken().Value] = anchor.Value
	}
	return a
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// Line is the 1-based line of the value.
func (n Node) Line() int { return n.line }

// Key is the path of the value, such as shops[0].currency.
func (n Node) Key() string { return n.key }

// Problem reports what is wrong with this value and what to do about it.
func (n Node) Problem(format string, args ...any) {
	n.problems.errs = append(n.problems.errs, &Error{File: n.file, Line: n.line, Key: n.key, Reason: fmt.Sprintf(format, args...)})
}

func (n Node) at(value ast.Node, line int, key string) Node {
	for {
		switch v := value.(type) {
		case *ast.AnchorNode:
			value = v.Value
			continue
		case *ast.TagNode:
			value = v.Value
			continue
		case *ast.AliasNode:
			if target, ok := n.anchors[v.Value.GetToken().Value]; ok {
				value = target
				continue
			}
		}
		break
	}
	n.value, n.line, n.key = value, line, key
	return n
}

// Keys says how the value of each known key of a mapping is read.
type Keys map[string]func(Node)

// Map reads a mapping; a key that is not among keys is a problem.
func (n Node) Map(keys Keys) {
	var values []*ast.MappingValueNode
	switch m := n.value.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case *ast.NullNode:
		return
	default:
		n.Problem("must be a mapping with the keys %s", known(keys))
		return
	}
	for _, v := range values {
		name := v.Key.GetToken().Value
		path := name
		if n.key != "" {
			path = n.key + "." + name
		}
		child := n.at(v.Value, lineOf(v.Key), path)
		read, ok := keys[name]
		if !ok {
			child.Problem("is not a key here; known are %s", known(keys))
			continue
		}
		read(child)
	}
}

func known(keys Keys) string {
	names := make([]string, 0, len(keys))
	for k := range keys {
		names = append(names, k)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// Has tells whether a mapping has the key.
func (n Node) Has(key string) bool {
	m, ok := n.value.(*ast.MappingNode)
	if !ok {
		return false
	}
	return slices.ContainsFunc(m.Values, func(v *ast.MappingValueNode) bool { return v.Key.GetToken().Value == key })
}

// IsMap tells whether the value is a mapping.
func (n Node) IsMap() bool {
	switch n.value.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// IsList tells whether the value is a list.
func (n Node) IsList() bool {
	_, ok := n.value.(*ast.SequenceNode)
	return ok
}

// Each reads the items of a list; a value left empty is an empty list.
func (n Node) Each(read func(i int, item Node)) {
	switch s := n.value.(type) {
	case *ast.SequenceNode:
		for i, v := range s.Values {
			read(i, n.at(v, lineOf(v), fmt.Sprintf("%s[%d]", n.key, i)))
		}
	case *ast.NullNode:
	default:
		n.Problem("must be a list, such as [%s]", "a, b")
	}
}

// Text reads a scalar as it is written; a list or mapping is a problem.
func (n Node) Text() (string, bool) {
	switch v := n.value.(type) {
	case nil:
		return n.text, true
	case *ast.NullNode:
		return "", true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.StringNode:
		return v.Value, true
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		n.Problem("must be one value, not a list or mapping")
		return "", false
	case *ast.AliasNode:
		n.Problem("*%s is not defined; write &%[1]s before the value it stands for", v.Value.GetToken().Value)
		return "", false
	}
	return n.value.GetToken().Value, true
}

// String reads text into dst.
func String(dst *string) func(Node) {
	return func(n Node) {
		if s, ok := n.Text(); ok {
			*dst = s
		}
	}
}

// Bool reads true or false into dst.
func Bool(dst *bool) func(Node) {
	return func(n Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		switch s {
		case "true":
			*dst = true
		case "false":
			*dst = false
		default:
			n.Problem("%q is neither true nor false; write one of them", s)
		}
	}
}

// Int reads a whole number of at least min into dst.
func Int(dst *int, min int) func(Node) {
	return func(n Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		v, err := strconv.Atoi(s)
		if err != nil || v < min {
			n.Problem("%q is not a whole number of at least %d; write one", s, min)
			return
		}
		*dst = v
	}
}

// Float reads a number of at least min into dst.
func Float(dst *float64, min float64) func(Node) {
	return func(n Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= min) || math.IsInf(v, 0) {
			n.Problem("%q is not a number of at least %g; write one", s, min)
			return
		}
		*dst = v
	}
}

// Strings reads a list of texts into dst.
func Strings(dst *[]string) func(Node) {
	return func(n Node) {
		*dst = nil
		n.Each(func(_ int, item Node) {
			if s, ok := item.Text(); ok {
				*dst = append(*dst, s)
			}
		})
	}
}
