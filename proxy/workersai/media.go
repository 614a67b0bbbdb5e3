package workersai

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
)

// mediaField returns bytes that a call sends as the body itself, as a part of a
// form, or in a JSON field as base64, as a data URL or as a list of bytes. It
// returns nil if the field is not there.
func (x *exchange) mediaField(name string) ([]byte, *failure) {
	if x.in == nil {
		if form, ok, f := x.form(); ok || f != nil {
			return form[name].data, f
		}
		return x.body, nil
	}
	if !x.in.has(name) {
		return nil, nil
	}
	return decodeMedia(name, x.in[name])
}

func decodeMedia(name string, raw json.RawMessage) ([]byte, *failure) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if rest, ok := strings.CutPrefix(text, "data:"); ok {
			head, data, found := strings.Cut(rest, ",")
			if !found || !strings.HasSuffix(head, ";base64") {
				return nil, refuseText(8006, "Invalid data for %s - reason expected `;base64,`", name)
			}
			text = data
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, refuseText(8006, "Invalid data for %s - reason invalid base64 encoding", name)
		}
		return data, nil
	}
	var list []uint8
	var numbers []int
	if json.Unmarshal(raw, &numbers) == nil {
		for _, n := range numbers {
			if n < 0 || n > 255 {
				return nil, badInput("'/%s' must hold numbers from 0 to 255", name)
			}
			list = append(list, uint8(n))
		}
		return list, nil
	}
	var nested fields // Deepgram's {"body": …, "contentType": …}
	if json.Unmarshal(raw, &nested) == nil && nested.has("body") {
		return decodeMedia(name, nested["body"])
	}
	return nil, refuseText(5004, "Invalid data type for base64 input: %s", kindOf(raw))
}

// part is one part of a form.
type part struct {
	file string // its file name, "" for a plain field
	kind string // its Content-Type
	data []byte
}

// form returns the parts of a multipart body by name, the last of each; false
// when the body is none.
func (x *exchange) form() (map[string]part, bool, *failure) {
	list, ok, f := x.parts()
	form := make(map[string]part, len(list))
	for _, p := range list {
		form[p.name] = p.part
	}
	return form, ok, f
}

type namedPart struct {
	name string
	part
}

// parts returns the parts of a multipart body in order.
func (x *exchange) parts() ([]namedPart, bool, *failure) {
	kind, params, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, false, nil
	}
	reader := multipart.NewReader(bytes.NewReader(x.body), params["boundary"])
	var list []namedPart
	for {
		p, err := reader.NextPart()
		if err == io.EOF { // NextPart returns it as it is
			return list, true, nil
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(p)
		}
		if err != nil {
			return nil, true, refuseText(5006, "Bad input: Error: %v", err)
		}
		list = append(list, namedPart{p.FormName(), part{p.FileName(), p.Header.Get("Content-Type"), data}})
	}
}

// formFields returns the fields that a call names in JSON, in a form or in the
// query beside a raw body.
func (x *exchange) formFields() (fields, *failure) {
	if x.in != nil {
		return x.in, nil
	}
	in := fields{}
	form, _, f := x.form()
	for name, p := range form {
		if p.file == "" {
			in[name] = quote(string(p.data))
		}
	}
	query, _ := url.ParseQuery(x.r.URL.RawQuery) // what does not parse is left out
	for name := range query {
		if _, ok := in[name]; !ok {
			in[name] = quote(query.Get(name))
		}
	}
	return in, f
}

// quote is s as a JSON value: a form has no types, so what reads as a number or
// boolean is one.
func quote(s string) json.RawMessage {
	if json.Valid([]byte(s)) && strings.IndexByte("-0123456789tf", s[0]) >= 0 {
		return json.RawMessage(s)
	}
	return compact(s)
}
