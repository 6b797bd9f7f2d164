package chdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// LibraryVariable is the environment variable that names the engine library.
const LibraryVariable = "KASSA_ENGINE_LIB"

// libraryName is the engine library's file name in every npm package, macOS
// included.
const libraryName = "libchdb.so"

// FindLibrary returns the path of the engine library: $KASSA_ENGINE_LIB, else
// beside the binary (exeDir), else the npm package of this platform under
// workDir/node_modules or exeDir/node_modules, else /usr/local/lib. The error
// says what to run.
func FindLibrary(env func(string) string, exeDir, workDir string) (string, error) {
	if path := env(LibraryVariable); path != "" {
		if err := checkLibraryFile(path); err != nil {
			return "", fmt.Errorf("%s names no engine library: %w", LibraryVariable, err)
		}
		return filepath.Abs(path)
	}
	npm := filepath.Join("node_modules", "@chdb", npmPackage(runtime.GOOS, runtime.GOARCH), libraryName)
	for _, pattern := range []string{
		filepath.Join(exeDir, libraryName),
		filepath.Join(workDir, npm),
		filepath.Join(exeDir, npm),
		filepath.Join("/usr/local/lib", libraryName),
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("look for the engine library at %s: %w", pattern, err)
		}
		for _, path := range found {
			if checkLibraryFile(path) == nil {
				return filepath.Abs(path)
			}
		}
	}
	return "", fmt.Errorf("the embedded engine's library (%s for %s/%s) was not found: run `npm ci` in the checkout, or set %s to its path",
		libraryName, runtime.GOOS, runtime.GOARCH, LibraryVariable)
}

// npmPackage is the glob of the npm package that carries the library for a
// platform; Linux packages add the C library they were built for (-gnu).
func npmPackage(goos, goarch string) string {
	if goarch == "amd64" {
		goarch = "x64"
	}
	return fmt.Sprintf("lib-%s-%s*", goos, goarch)
}

func checkLibraryFile(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist", path)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	return nil
}
