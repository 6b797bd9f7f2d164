package warehouse

import (
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// DataError tells that ClickHouse looked at the batch and refuses what is in it: repeating cannot help, some event is poison.
// Every other error of Insert leaves the outcome unknown: the identical batch is to be sent again until it succeeds.
type DataError struct{ Err error }

func (e *DataError) Error() string { return "the warehouse refuses this batch: " + e.Err.Error() }
func (e *DataError) Unwrap() error { return e.Err }

// DataError is true; it lets a caller that does not import this package know one.
func (e *DataError) DataError() bool { return true }

// IsDataError tells whether err says that the batch itself is at fault.
func IsDataError(err error) bool {
	var d *DataError
	return errors.As(err, &d)
}

// dataCodes are the answers of ClickHouse that speak of values and of nothing else. What is not listed counts as unknown: a good event
// must not be set aside because a server was in a bad state, while a bad batch that is repeated is seen and mended.
var dataCodes = []int32{
	6,   // CANNOT_PARSE_TEXT
	9,   // SIZES_OF_COLUMNS_DOESNT_MATCH
	26,  // CANNOT_PARSE_QUOTED_STRING
	27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	38,  // CANNOT_PARSE_DATE
	41,  // CANNOT_PARSE_DATETIME
	53,  // TYPE_MISMATCH
	69,  // ARGUMENT_OUT_OF_BOUND
	70,  // CANNOT_CONVERT_TYPE
	72,  // CANNOT_PARSE_NUMBER
	128, // TOO_LARGE_ARRAY_SIZE
	131, // TOO_LARGE_STRING_SIZE
	190, // SIZES_OF_ARRAYS_DONT_MATCH
	321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
	349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	407, // DECIMAL_OVERFLOW
	469, // VIOLATED_CONSTRAINT
}

// sent sorts an error of sending rows.
func sent(what string, err error) error {
	if exception(err, dataCodes...) {
		return &DataError{fmt.Errorf("inserting %s: %w", what, err)}
	}
	return fmt.Errorf("inserting %s: %w", what, err)
}

// encoded sorts an error of filling a column, which happens before anything is sent.
func encoded(what string, err error) error {
	var convert *clickhouse.OpError
	if errors.As(err, &convert) {
		return fmt.Errorf("encoding %s: %w", what, err)
	}
	return &DataError{fmt.Errorf("encoding %s: %w", what, err)}
}
