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

// crawlers finds any of some 1,500 patterns in a text. Nearly all are plain words: those are found by their first three bytes while
// going once over the text; a regular expression of them all would be fifty times slower. The few others are one expression.
type crawlers struct {
	words   map[[3]byte][]string
	pattern *regexp.Regexp
}

func newCrawlers(list string) (*crawlers, error) {
	c := &crawlers{words: map[[3]byte][]string{}}
	var patterns []string
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		re, err := syntax.Parse(line, syntax.Perl)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", line, err)
		}
		if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 && len(string(re.Rune)) >= 3 {
			word := string(re.Rune)
			head := [3]byte([]byte(word[:3]))
			c.words[head] = append(c.words[head], word)
			continue
		}
		patterns = append(patterns, "(?:"+line+")")
	}
	if len(c.words) == 0 {
		return nil, fmt.Errorf("no patterns in it")
	}
	if len(patterns) > 0 {
		re, err := regexp.Compile(strings.Join(patterns, "|"))
		if err != nil {
			return nil, fmt.Errorf("joining %d patterns: %w", len(patterns), err)
		}
		c.pattern = re
	}
	return c, nil
}

func (c *crawlers) match(ua string) bool {
	for i := 0; i+3 <= len(ua); i++ {
		for _, word := range c.words[[3]byte{ua[i], ua[i+1], ua[i+2]}] {
			if strings.HasPrefix(ua[i:], word) {
				return true
			}
		}
	}
	return c.pattern != nil && c.pattern.MatchString(ua)
}
