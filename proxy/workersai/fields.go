package workersai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// fields are the members of a JSON object, not yet decoded.
type fields map[string]json.RawMessage

// has reports whether a field is there and not null.
func (in fields) has(name string) bool {
	raw, ok := in[name]
	return ok && string(raw) != "null"
}

// text returns a string field and whether it is there.
func (in fields) text(name string) (string, bool, *failure) {
	if !in.has(name) {
		return "", false, nil
	}
	var v string
	if json.Unmarshal(in[name], &v) != nil {
		return "", true, mismatch(name, in[name], "string")
	}
	return v, true, nil
}

// count returns a whole number of at least 1, or the default if there is none.
func (in fields) count(name string, or int64) (int64, *failure) {
	if !in.has(name) {
		return or, nil
	}
	v, err := strconv.ParseFloat(string(in[name]), 64)
	if err != nil || v != math.Trunc(v) || v > 1e15 {
		return 0, mismatch(name, in[name], "integer")
	}
	if v < 1 {
		return 0, badInput("'/%s' must be >= 1", name)
	}
	return int64(v), nil
}

// flag returns a boolean field, false if there is none.
func (in fields) flag(name string) (bool, *failure) {
	if !in.has(name) {
		return false, nil
	}
	var v bool
	if json.Unmarshal(in[name], &v) != nil {
		return false, mismatch(name, in[name], "boolean")
	}
	return v, nil
}

// object returns a field that is an object, nil if there is none.
func (in fields) object(name string) (fields, *failure) {
	if !in.has(name) {
		return nil, nil
	}
	var v fields
	if json.Unmarshal(in[name], &v) != nil {
		return nil, mismatch(name, in[name], "object")
	}
	return v, nil
}

// texts returns a field that is a string or a list of strings.
func (in fields) texts(name string) ([]string, bool, *failure) {
	if !in.has(name) {
		return nil, false, nil
	}
	var one string
	if json.Unmarshal(in[name], &one) == nil {
		return []string{one}, true, nil
	}
	var many []string
	if json.Unmarshal(in[name], &many) != nil {
		return nil, true, mismatch(name, in[name], "string','array")
	}
	return many, true, nil
}

// tokens returns a field that is a list of tokens, or a list of such lists, as texts with a word for each token; false
// where it is neither.
func (in fields) tokens(name string) ([]string, bool, *failure) {
	var one []uint32
	var many [][]uint32
	if json.Unmarshal(in[name], &one) == nil && len(one) > 0 {
		many = [][]uint32{one}
	} else if json.Unmarshal(in[name], &many) != nil {
		return nil, false, nil
	}
	texts := make([]string, len(many))
	for i, list := range many {
		if len(list) == 0 {
			return nil, true, badInput("'/%s/%d' must not be empty", name, i)
		}
		texts[i] = strings.Trim(fmt.Sprint(list), "[]")
	}
	return texts, len(texts) > 0, nil
}

func mismatch(name string, raw json.RawMessage, want string) *failure {
	return badInput("oneOf at '/' not met, 0 matches: Type mismatch of '/%s', '%s' not in '%s'", name, kindOf(raw),
		want)
}

// kindOf names the JSON type of raw as Workers AI's messages do.
func kindOf(raw []byte) string {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return "undefined"
	}
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
		return "number"
	}
	return "binary"
}
