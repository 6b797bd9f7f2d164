// Command generate writes kassa.js from its TypeScript source; go generate runs it in the folder collector/snippet.
package main

import (
	"fmt"
	"os"

	"github.com/kassa-analytics/kassa/collector/snippet/internal/bundling"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	script, err := bundling.Bundle(dir)
	if err != nil {
		return err
	}
	return os.WriteFile("kassa.js", script, 0o644)
}
