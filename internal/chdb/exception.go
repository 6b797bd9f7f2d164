package chdb

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// exception is an error of the engine, in ClickHouse's own words:
// "Code: 60. DB::Exception: … (UNKNOWN_TABLE)".
type exception struct {
	code int
	text string
}

func (x *exception) Error() string { return x.text }

// Codes of ClickHouse's ErrorCodes.cpp that the adapter itself reports.
const (
	codeBadArguments     = 36
	codeNotImplemented   = 48
	codeSyntaxError      = 62
	codeUnknownSetting   = 115
	codeQueryCancelled   = 394
	codeUnknownException = 1002
)

var codeNames = map[int]string{
	codeBadArguments:   "BAD_ARGUMENTS",
	codeNotImplemented: "NOT_IMPLEMENTED",
	codeSyntaxError:    "SYNTAX_ERROR",
	codeUnknownSetting: "UNKNOWN_SETTING",
}

// refuse is an exception of the adapter's own, shaped like the engine's.
func refuse(code int, format string, args ...any) *exception {
	return &exception{code, fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), codeNames[code])}
}

var codePrefix = regexp.MustCompile(`^Code: (\d+)\. `)

// parseException gives text the engine reports the shape of an exception; what
// carries no code becomes 1002 (UNKNOWN_EXCEPTION).
func parseException(text string) *exception {
	text = strings.TrimSpace(text)
	if m := codePrefix.FindStringSubmatch(text); m != nil {
		code, _ := strconv.Atoi(m[1])
		return &exception{code, text}
	}
	return &exception{codeUnknownException, fmt.Sprintf("Code: %d. DB::Exception: %s (UNKNOWN_EXCEPTION)", codeUnknownException, text)}
}

// status is the HTTP status a ClickHouse server answers the exception with
// (exceptionCodeToHTTPStatus.cpp, the codes that can occur here).
func (x *exception) status() int {
	switch x.code {
	case 497: // ACCESS_DENIED
		return http.StatusForbidden
	case 6, 26, 27, 38, 41, 42, 43, 44, 46, 47, 50, 53, 62, 70, 72, 130, 131, 179, 223, 344, 377, 386, 457, 549:
		return http.StatusBadRequest
	case 16, 60, 81: // NO_SUCH_COLUMN_IN_TABLE, UNKNOWN_TABLE, UNKNOWN_DATABASE
		return http.StatusNotFound
	case codeNotImplemented:
		return http.StatusNotImplemented
	case 202: // TOO_MANY_SIMULTANEOUS_QUERIES
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
