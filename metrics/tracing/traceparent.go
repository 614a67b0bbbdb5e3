package tracing

import (
	"net/http"
	"strings"
)

// callersID returns the trace id of a caller's traceparent, "" where there is none that is valid. It allocates nothing.
// The form is version-id-parent-flags; versions beyond 00 may have more behind it.
func callersID(h http.Header) string {
	values := h["Traceparent"]
	if len(values) != 1 {
		return ""
	}
	text := values[0]
	if len(text) < 55 || len(text) > 55 && (text[:2] == "00" || text[55] != '-') {
		return ""
	}
	id := text[3:35]
	valid := text[2] == '-' && text[35] == '-' && text[52] == '-' &&
		hexadecimal(text[:2]) && hexadecimal(id) && hexadecimal(text[36:52]) && hexadecimal(text[53:55]) &&
		text[:2] != "ff" && strings.Trim(id, "0") != "" && strings.Trim(text[36:52], "0") != ""
	if !valid {
		return ""
	}
	return id
}

func hexadecimal(s string) bool {
	for i := range len(s) {
		if c := s[i]; c-'0' >= 10 && c-'a' >= 6 {
			return false
		}
	}
	return true
}
