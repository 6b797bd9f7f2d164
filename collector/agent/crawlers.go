package agent

import (
	_ "embed"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// crawlerPatterns is the list with its provenance and licence in its head.
//
//go:embed crawlers.txt
var crawlerPatterns string

// crawlers finds any of some 1,500 patterns in a text. Nearly all are plain words, or a few of them ("[wW]get"): those are found by their
// first three bytes while going once over the text. Of the rest each is tried only where a word it cannot do without was found. One
// regular expression of them all takes a hundred times as long.
type crawlers struct {
	words map[[3]byte][]word
}

// word is a text to look for.
type word struct {
	text  string
	start bool           // only at the start
	then  *regexp.Regexp // must match as well; nil: the word suffices
}

// maxVariants bounds the words one pattern is written out into.
const maxVariants = 64

func newCrawlers(list string) (*crawlers, error) {
	c := &crawlers{words: map[[3]byte][]word{}}
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := c.add(line); err != nil {
			return nil, err
		}
	}
	if len(c.words) == 0 {
		return nil, fmt.Errorf("no patterns in it")
	}
	return c, nil
}

func (c *crawlers) add(pattern string) error {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("pattern %q: %w", pattern, err)
	}
	start := false
	rest := re
	if re.Op == syntax.OpConcat && re.Sub[0].Op == syntax.OpBeginText {
		start, rest = true, &syntax.Regexp{Op: syntax.OpConcat, Sub: re.Sub[1:]}
	}
	var then *regexp.Regexp
	variants := writeOut(rest)
	if variants == nil {
		start = false
		if variants = needed(re); variants == nil {
			return fmt.Errorf("pattern %q holds no word of three letters to find it by", pattern)
		}
		if then, err = regexp.Compile(pattern); err != nil {
			return fmt.Errorf("pattern %q: %w", pattern, err)
		}
	}
	for _, v := range variants {
		if len(v) < 3 {
			return fmt.Errorf("pattern %q is too short to tell anything", pattern)
		}
		head := [3]byte([]byte(v[:3]))
		c.words[head] = append(c.words[head], word{v, start, then})
	}
	return nil
}

// writeOut lists the texts that a pattern stands for, nil where they are not a few.
func writeOut(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []string{string(re.Rune)}
		}
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if out = append(out, string(r)); len(out) > maxVariants {
					return nil
				}
			}
		}
		return out
	case syntax.OpCapture:
		return writeOut(re.Sub[0])
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			variants := writeOut(sub)
			if out = append(out, variants...); variants == nil || len(out) > maxVariants {
				return nil
			}
		}
		return out
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			var longer []string
			for _, tail := range writeOut(sub) {
				for _, head := range out {
					longer = append(longer, head+tail)
				}
			}
			if len(longer) == 0 || len(longer) > maxVariants {
				return nil
			}
			out = longer
		}
		return out
	}
	return nil
}

// needed gives the longest word without which a concatenation cannot match.
func needed(re *syntax.Regexp) []string {
	longest := ""
	if re.Op == syntax.OpConcat {
		for _, sub := range re.Sub {
			if w := writeOut(sub); len(w) == 1 && len(w[0]) > len(longest) {
				longest = w[0]
			}
		}
	}
	if len(longest) < 3 {
		return nil
	}
	return []string{longest}
}

func (c *crawlers) match(ua string) bool {
	for i := 0; i+3 <= len(ua); i++ {
		for _, w := range c.words[[3]byte{ua[i], ua[i+1], ua[i+2]}] {
			if (!w.start || i == 0) && strings.HasPrefix(ua[i:], w.text) && (w.then == nil || w.then.MatchString(ua)) {
				return true
			}
		}
	}
	return false
}
