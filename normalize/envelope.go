package normalize

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Append appends the JSON envelope of f to dst and returns it. The keys are always the same, in the same order;
// only limit is left out when there is none.
func (f *Failure) Append(dst []byte) []byte {
	dst = f.appendError(append(dst, '{'))
	dst = append(dst, `,"type":"error"`...)
	return append(f.appendRest(dst), '}')
}

// appendError appends the key error.
func (f *Failure) appendError(dst []byte) []byte {
	e, r := f.Code.Entry(), f.Resolved()
	dst = append(dst, `"error":{"message":`...)
	dst = appendString(dst, r.Message)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, f.Type()...)
	dst = append(dst, `","param":`...)
	dst = appendOrNull(dst, f.Param)
	dst = append(dst, `,"code":`...)
	dst = appendString(dst, f.Word())
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, e.Slug)
	dst = append(dst, `,"number":`...)
	dst = strconv.AppendInt(dst, int64(r.Number), 10)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, `,"origin":`...)
	dst = appendString(dst, string(r.Origin))
	dst = append(dst, `,"fault":`...)
	dst = appendString(dst, string(r.Fault))
	dst = append(dst, `,"retryable":`...)
	dst = strconv.AppendBool(dst, f.Retryable())
	dst = append(dst, `,"retry_after_ms":`...)
	dst = appendMillis(dst, f.Wait())
	dst = append(dst, `,"resets_at":`...)
	dst = appendTime(dst, f.ResetsAt)
	dst = append(dst, `,"action":`...)
	dst = appendString(dst, r.Action)
	dst = append(dst, `,"model":`...)
	dst = appendOrNull(dst, f.Model)
	dst = append(dst, `,"matched_by":`...)
	dst = appendString(dst, string(r.MatchedBy))
	dst = append(dst, `,"upstream":`...)
	dst = f.Upstream.append(dst)
	dst = f.Limit.append(dst)
	dst = append(dst, `,"doc_url":`...)
	dst = appendString(dst, docPath+e.Slug)
	return append(dst, '}')
}

// appendRest appends the keys that follow the type.
func (f *Failure) appendRest(dst []byte) []byte {
	r := f.Resolved()
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, r.Message)
	dst = append(dst, `,"success":false,"errors":[{"code":`...)
	dst = strconv.AppendInt(dst, int64(r.Number), 10)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, r.Message)
	dst = append(dst, `}],"messages":[],"result":null,"request_id":`...)
	return appendString(dst, f.RequestID)
}

// docPath is where the error reference is served; a slug follows.
const docPath = "/errors/"

func (u *Upstream) append(dst []byte) []byte {
	if u == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"status":`...)
	dst = strconv.AppendInt(dst, int64(u.Status), 10)
	dst = append(dst, `,"code":`...)
	switch c := u.Code.(type) {
	case int:
		dst = strconv.AppendInt(dst, int64(c), 10)
	case string:
		dst = appendString(dst, c)
	default:
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, u.Message)
	dst = append(dst, `,"request_id":`...)
	dst = appendOrNull(dst, u.RequestID)
	dst = append(dst, `,"ray":`...)
	dst = appendOrNull(dst, u.Ray)
	return append(dst, '}')
}

func (l *Limit) append(dst []byte) []byte {
	if l == nil {
		return dst
	}
	dst = append(dst, `,"limit":{"name":`...)
	dst = appendString(dst, l.Name)
	dst = append(dst, `,"client":`...)
	dst = appendOrNull(dst, l.Client)
	dst = append(dst, `,"used":`...)
	dst = appendFloat(dst, l.Used)
	dst = append(dst, `,"reserved":`...)
	dst = appendFloat(dst, l.Reserved)
	dst = append(dst, `,"limit":`...)
	dst = appendFloat(dst, l.Limit)
	dst = append(dst, `,"unit":`...)
	dst = appendString(dst, l.Unit)
	dst = append(dst, `,"window":`...)
	dst = appendString(dst, l.Window)
	return append(dst, '}')
}

func appendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s)
}

// appendMillis rounds up: a caller who waits the milliseconds told never comes back too early.
func appendMillis(dst []byte, d time.Duration) []byte {
	if d <= 0 {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = t.UTC().Truncate(time.Second).AppendFormat(dst, time.RFC3339)
	return append(dst, '"')
}

// appendFloat writes 0 for what JSON has no number for.
func appendFloat(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

// appendString appends s as a JSON string. HTML is not escaped; invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			if b >= ' ' && b != '"' && b != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			i++
			start = i
			continue
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
