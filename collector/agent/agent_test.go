package agent

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func newClassifier(t testing.TB, n int) *Classifier {
	t.Helper()
	c, err := New(n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClassify(t *testing.T) {
	c := newClassifier(t, 1000)
	for ua, want := range map[string]Class{
		"": {},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                            {"desktop", "Chrome", "Windows", false},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                      {"desktop", "Safari", "macOS", false},
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                                                                     {"desktop", "Firefox", "Linux", false},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1":    {"mobile", "Safari", "iOS", false},
		"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36": {"mobile", "Samsung Browser", "Android", false},
		"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1":             {"tablet", "Safari", "iOS", false},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":              {"desktop", "Edge", "Windows", false},
		"Jan's very own browser": {"other", "other", "", false},
		"curl/8.5.0":             {"other", "other", "", false},
		"python-requests/2.31.0": {"other", "other", "", false},
		"Wget/1.21":              {"other", "other", "", true},
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                               {"other", "other", "", true},
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)": {"other", "other", "", true},
	} {
		got := c.Classify(ua)
		if got.Bot != want.Bot || !want.Bot && got != want {
			t.Errorf("%s\n got %+v\nwant %+v", ua, got, want)
		}
		if again := c.Classify(ua); again != got {
			t.Errorf("%s: asked again %+v", ua, again)
		}
	}
}

// The index of words answers as the list's regular expressions do, for texts made of pieces of them.
func TestCrawlersAnswerAsTheirPatterns(t *testing.T) {
	list, err := newCrawlers(crawlerPatterns)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(crawlerPatterns) {
		if line = strings.TrimRight(line, "\n"); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	all := regexp.MustCompile(strings.Join(lines, "|"))
	if len(lines) != 1482 {
		t.Errorf("%d patterns", len(lines))
	}
	texts := []string{"wget/1", "SemrushBot", "HTTPie/3", "PTST/240", "xx sentry/23", "AdsBot-Google (+x)", "ContextualBot x outcomes.net", "ContextualBot", "x HTTPie/3", "xcurl", "curl", "SSL Labs", "SSL Labs 2", "BlogTraffic/1.22 Feed-Fetcher"}
	piece := strings.NewReplacer("[", "", "]", "", "^", "", "$", "", "(", "", ")", "", `\`, "", "|", " ", "*", "")
	for i, line := range lines {
		plain := piece.Replace(line)
		if plain == line && i%8 != 0 { // plain words are alike, and the joined expression is slow
			continue
		}
		texts = append(texts, plain, "Mozilla/5.0 "+plain+"/1.0", plain[1:], plain[:len(plain)-1])
	}
	for _, ua := range texts {
		if got, want := list.match(ua), all.MatchString(ua); got != want {
			t.Errorf("%q: %v, the patterns say %v", ua, got, want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newClassifier(t, 320)
	for i := range 10_000 {
		c.Classify(fmt.Sprintf("Browser/%d", i))
	}
	held := 0
	for i := range c.shards {
		held += len(c.shards[i].young) + len(c.shards[i].older)
	}
	if held > 320 {
		t.Errorf("%d answers held", held)
	}
}

func BenchmarkClassify(b *testing.B) {
	c := newClassifier(b, 1000)
	ua := "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36"
	b.Run("cached", func(b *testing.B) {
		for b.Loop() {
			c.Classify(ua)
		}
	})
	b.Run("fresh", func(b *testing.B) {
		for b.Loop() {
			c.parse(ua)
		}
	})
}
