// Package bundling turns the tag's TypeScript into the one file that shops load.
package bundling

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// Bundle reads src/kassa.ts below dir (an absolute path) and returns the bundled, minified script. It needs no network.
func Bundle(dir string) ([]byte, error) {
	r := api.Build(api.BuildOptions{
		AbsWorkingDir: dir,
		EntryPoints:   []string{filepath.Join("src", "kassa.ts")},
		Outfile:       "kassa.js",
		Bundle:        true,
		Write:         false,
		Format:        api.FormatIIFE,
		Platform:      api.PlatformBrowser,
		Target:        api.ES2017,
		Charset:       api.CharsetUTF8,

		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,

		Banner:      map[string]string{"js": "/*! Kassa, Apache-2.0 */"},
		TsconfigRaw: `{"compilerOptions":{"strict":true,"useDefineForClassFields":false}}`,
	})
	var problems error
	for _, m := range r.Errors {
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d: ", m.Location.File, m.Location.Line)
		}
		problems = errors.Join(problems, errors.New(where+m.Text))
	}
	if problems != nil {
		return nil, fmt.Errorf("bundling the tag: %w", problems)
	}
	return r.OutputFiles[0].Contents, nil
}
