package warehouse

import (
	"embed"
	"strings"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

//go:embed migrations/*.sql
var migrationFiles embed.FS

// statementFiles hands out the statements of sql/, one a file.
type statementFiles struct{}

var statements statementFiles

// get panics on an unknown name: the files are embedded, so that is a mistake in this package.
func (statementFiles) get(name string) string {
	b, err := sqlFiles.ReadFile("sql/" + name)
	if err != nil {
		panic("warehouse: no statement " + name)
	}
	return strings.TrimSpace(string(b))
}

// split cuts a file into its statements, which end with a semicolon at the end of a line.
func split(file string) []string {
	var list []string
	for _, s := range strings.Split(file+"\n", ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}
