package normalize

import "bytes"

// IsFailure reports whether the answer of status 200 that begins with body, and is no stream, is a failure in
// truth: success is false, there is an error, the errors of Workers AI or an AI Gateway stand in it in any of
// their shapes, it is a page, or it is empty. What a model wrote never counts, for it does not stand at the top
// level. At most MaxErrorBody bytes are looked at.
func IsFailure(body []byte) bool {
	body = leftTrim(body[:min(len(body), MaxErrorBody)])
	if len(body) == 0 {
		return true
	}
	switch body[0] {
	case '{':
		return failing(body)
	case '<':
		return isHTML(body)
	default:
		return failureText(body)
	}
}

// leftTrim removes white space and a byte order mark in front.
func leftTrim(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("\ufeff")), " \t\r\n")
}

// failureText reports whether text that is no JSON object begins as upstream's error texts do; it may be a JSON string.
func failureText(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte(`"`))
	for _, class := range [...]string{
		"aierror:", "aierror ", "inferenceupstreamerror", "aigatewayerror",
		"error code: ", "error: aierror",
	} {
		if len(text) >= len(class) && foldEqual(text[:len(class)], class) {
			return true
		}
	}
	return false
}

// verdict is what the top level of a JSON object shows.
type verdict struct {
	succeeded, failed    bool // success: true, success: false
	problem, emptyObject bool // error, and whether it is {}
	errors               bool // errors has something in it
	named, status        bool // name and httpCode of the flat shape
	flat                 bool // internalCode of the flat shape
	typed                bool // a type or object that says error
}

func (v *verdict) failure() bool {
	return v.failed || v.typed || v.flat || v.named && v.status ||
		v.problem && !(v.emptyObject && v.succeeded) || v.errors && !v.succeeded
}

// failing scans the top level of the object that b begins with. It does not allocate.
func failing(b []byte) bool {
	s := scanner{b: b}
	s.i++
	var v verdict
	for {
		key, ok := s.key()
		if !ok {
			return v.failure()
		}
		c := s.peek()
		switch string(key) {
		case "success":
			v.succeeded = v.succeeded || c == 't' || c == 'T'
			v.failed = v.failed || c == 'f' || c == 'F'
		case "error":
			v.problem = v.problem || s.filled(c) || c == '{'
			v.emptyObject = c == '{' && !s.filled(c)
		case "errors":
			v.errors = v.errors || s.filled(c)
		case "internalCode":
			v.flat = v.flat || '0' < c && c <= '9' || s.filled(c)
		case "name":
			v.named = v.named || s.filled(c)
		case "httpCode":
			v.status = v.status || '4' <= c && c <= '5' || s.filled(c)
		case "type", "object":
			if c == '"' || c == '\'' {
				at := s.i
				switch string(s.text()) {
				case "error", "response.failed":
					v.typed = true
				}
				s.i = at
			}
		}
		s.skip()
	}
}

// filled reports whether the value that begins with c is an object, array or string with something in it.
func (s *scanner) filled(c byte) bool {
	var end byte
	switch c {
	case '{':
		end = '}'
	case '[':
		end = ']'
	case '"', '\'':
		return s.i+1 < len(s.b) && s.b[s.i+1] != c
	default:
		return false
	}
	inner := scanner{b: s.b, i: s.i + 1}
	next := inner.peek()
	return next != 0 && next != end
}
