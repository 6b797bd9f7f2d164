package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"unicode/utf8"

	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

// maxNotice is the largest notice text, in bytes.
const maxNotice = 1 << 20

var language = regexp.MustCompile(`^[a-z]{2,3}$`)

// readNotices reads the list and the texts themselves, whose hash goes into every receipt.
func readNotices(dst *[]Notice, dir string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		lines := map[[2]string]int{}
		n.Each(func(_ int, item yamlfile.Node) {
			var notice Notice
			item.Map(yamlfile.Keys{
				"version":  yamlfile.String(&notice.Version),
				"language": readLanguage(&notice.Language),
				"file":     readNoticeFile(&notice, dir),
			})
			if !item.IsMap() {
				return
			}
			for _, key := range []string{"version", "language", "file"} {
				if !item.Has(key) {
					item.Problem("has no %s; a notice is {version: \"2026-11\", language: nl, file: notice-nl.md}", key)
				}
			}
			id := [2]string{notice.Version, notice.Language}
			if line, twice := lines[id]; twice {
				item.Problem("is version %s in %s, as is line %d; give each text its own version", notice.Version, notice.Language, line)
			}
			lines[id] = item.Line()
			*dst = append(*dst, notice)
		})
	}
}

func readLanguage(dst *string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		if !language.MatchString(s) {
			n.Problem("%q is not a language; write its ISO 639 code, such as nl", s)
			return
		}
		*dst = s
	}
}

func readNoticeFile(notice *Notice, dir string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		path := s
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		text, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			n.Problem("the file %s is missing; put the notice's text there", path)
			return
		case err != nil:
			n.Problem("the file cannot be read (%v); make it readable", err)
			return
		case len(text) > maxNotice || !utf8.Valid(text) || len(bytes.TrimSpace(text)) == 0:
			n.Problem("the file %s is not UTF-8 text of at most 1 MiB; put the notice's text there", path)
			return
		}
		sum := sha256.Sum256(text)
		notice.File, notice.Text, notice.SHA256 = path, text, hex.EncodeToString(sum[:])
	}
}
