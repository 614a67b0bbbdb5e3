package workersai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// shape is the form of a failure's body.
type shape string

const (
	shapeUsual         shape = "" // what its layer and the path have
	shapeV4            shape = "v4"
	shapeEdge          shape = "edge"
	shapeFlat          shape = "flat"
	shapeGateway       shape = "gateway"
	shapeText          shape = "text"
	shapeJSONInMessage shape = "json-in-message"
	shapeOKFalse       shape = "ok-false"
	shapeHTML          shape = "html"
	shapeOpenAI        shape = "openai"
	shapeAnthropic     shape = "anthropic"
	shapeNested        shape = "nested"
	shapeSGLang        shape = "sglang"
	shapeObject        shape = "object"
)

var shapes = []shape{
	shapeV4, shapeEdge, shapeFlat, shapeGateway, shapeText, shapeJSONInMessage, shapeOKFalse, shapeHTML,
	shapeOpenAI, shapeAnthropic, shapeNested, shapeSGLang, shapeObject,
}

// coding is how a body tells the failure's number.
type coding string

const (
	codingUsual  coding = ""       // as the shape has it
	codingNumber coding = "number" // a JSON number
	codingString coding = "string" // the same as a string
	codingText   coding = "text"   // "NNNN: " before the text and nowhere else
	codingNone   coding = "none"   // not at all
)

var codings = []coding{codingNumber, codingString, codingText, codingNone}

// failure is one refusal as it is sent.
type failure struct {
	wire
	shape      shape
	coding     coding
	retryAfter string // seconds for Retry-After; "" sends none
	also       []wire // further entries of errors
	allow      string // Allow, for 405
}

// refuse returns the failure of a number with its usual text.
func refuse(number int) *failure {
	w, ok := findWire(number)
	if !ok {
		panic("workersai: no wire text for " + strconv.Itoa(number))
	}
	f := &failure{wire: w}
	if w.layer == layerBare {
		f.coding = codingNone
	}
	return f
}

// refuseText is refuse with another text.
func refuseText(number int, format string, args ...any) *failure {
	f := refuse(number)
	f.text = fmt.Sprintf(format, args...)
	return f
}

// badInput is 5006, the most common failure of all.
func badInput(format string, args ...any) *failure {
	return refuseText(5006, "Bad input: Error: "+format, args...)
}

// usualShape is the form in which f is sent on the path of x.
func (x *exchange) usualShape(f *failure) shape {
	switch f.layer {
	case layerEdge:
		return shapeEdge
	case layerGateway:
		return shapeGateway
	case layerPlain:
		return shapeText
	case layerPage:
		return shapeHTML
	case layerBare:
		return shapeObject
	}
	switch {
	case x.route.gateway != "":
		return shapeFlat
	case x.route.surface == surfaceResponses:
		return shapeOpenAI
	case x.route.surface == surfaceMessages:
		return shapeAnthropic
	}
	return shapeV4
}

// fail writes f. It is the only place that does, but for what cuts off a
// stream.
func (x *exchange) fail(f *failure) {
	x.log(f.number)
	form := f.shape
	status := f.status
	if form == shapeUsual {
		form = x.usualShape(f)
		if form == shapeOpenAI && status == http.StatusRequestTimeout {
			status = http.StatusBadRequest // as captured on v1/responses
		}
	}
	if form == shapeOKFalse {
		status = http.StatusOK
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	switch form {
	case shapeText:
		h.Set("Content-Type", "text/plain; charset=UTF-8")
	case shapeHTML:
		h.Set("Content-Type", "text/html; charset=UTF-8")
	}
	if f.layer == layerModel {
		h.Set("cf-ai-req-id", x.id)
	}
	if f.retryAfter != "" {
		h.Set("Retry-After", f.retryAfter)
	}
	if f.allow != "" {
		h.Set("Allow", f.allow)
	}
	x.write(status, x.failureBody(f, form))
}

// says returns the text of w as it is sent: placeholders filled in, without
// prefix and id.
func (x *exchange) says(w wire) string {
	name := x.model.name
	if name == "" {
		name = x.route.model
	}
	return strings.NewReplacer("{model}", name, "{path}", x.r.URL.EscapedPath(), "{today}",
		x.now.UTC().Format(time.DateOnly)).Replace(w.text)
}

// failureBody returns the body of f in form.
func (x *exchange) failureBody(f *failure, form shape) []byte {
	text := x.says(f.wire)
	plain := text
	if f.coding == codingText {
		text = strconv.Itoa(f.number) + ": " + text
	}
	full := "AiError: AiError: " + text + " (" + x.id + ")"
	if f.layer == layerEdge || f.layer == layerGateway {
		full = text
	}
	code := f.code(codingNumber)
	switch form {
	case shapeV4, shapeOKFalse:
		return compact(v4Failure{Errors: x.entries(f, full), Result: json.RawMessage("{}"), Messages: []string{}})
	case shapeEdge:
		return compact(edgeFailure{Errors: x.entries(f, text), Messages: []string{}})
	case shapeJSONInMessage:
		inner := compact(engineError{Object: "error", Message: text, Type: "BadRequestError", Code: f.status})
		full = "AiError: AiError: " + string(inner) + " (" + x.id + ")"
		return compact(v4Failure{Errors: x.entries(f, full), Result: json.RawMessage("{}"), Messages: []string{}})
	case shapeFlat:
		return compact(flatFailure{
			Name: "AiError", Code: code, Status: f.status,
			Message: "AiError: " + text + " (" + x.id + ")", Description: plain, RequestID: x.id,
		})
	case shapeGateway:
		name := "AiError"
		if f.layer == layerGateway {
			name = "AiGatewayError"
		}
		return compact(gatewayFailure{
			Result: []string{}, Messages: []string{}, Error: []failureEntry{{Code: code, Message: full}},
			Name: name, Status: f.status, Code: code, Message: full, Description: plain,
		})
	case shapeText:
		prefix := "AiError: "
		if f.layer != layerModel {
			prefix = ""
		}
		if f.coding != codingNone && f.layer != layerPlain {
			prefix += strconv.Itoa(f.number) + ": "
		}
		return []byte(prefix + plain)
	case shapeHTML:
		return page(f, plain, x.ray)
	case shapeObject:
		return compact(openAIFailure{Error: openAIError{Message: plain, Code: f.code(codingUsual)}})
	case shapeOpenAI:
		if c := f.code(codingUsual); c != nil {
			return compact(openAIFailure{Error: openAIError{Message: full, Code: c}})
		}
		return compact(openAIFailure{Error: openAIError{Message: full, Code: json.RawMessage(`"invalid_prompt"`)}})
	case shapeAnthropic:
		if c := f.code(codingUsual); c != nil && f.coding != codingNone {
			full = "AiError: AiError: " + strconv.Itoa(f.number) + ": " + plain + " (" + x.id + ")"
		}
		return compact(anthropicFailure{
			Type:  "error",
			Error: anthropicError{Type: anthropicType(f.status), Message: full}, RequestID: x.id,
		})
	case shapeNested:
		return compact(nestedFailure{v4Failure{
			Errors: x.entries(f, full), Result: json.RawMessage("{}"),
			Messages: []string{},
		}})
	case shapeSGLang:
		return compact(sglangFailure{engineError{
			Object: "error", Message: plain, Type: "SERVICE_UNAVAILABLE",
			Code: f.status,
		}})
	}
	panic("workersai: shape " + string(form))
}

// code returns the number as f says it, usual where f leaves it open; nil is no
// number at all.
func (f *failure) code(usual coding) json.RawMessage {
	c := f.coding
	if c == codingUsual {
		c = usual
	}
	switch c {
	case codingNumber:
		return strconv.AppendInt(nil, int64(f.number), 10)
	case codingString:
		return strconv.AppendQuote(nil, strconv.Itoa(f.number))
	}
	return nil
}

func (x *exchange) entries(f *failure, message string) []failureEntry {
	list := []failureEntry{{Message: message, Code: f.code(codingNumber)}}
	for _, w := range f.also {
		list = append(list, failureEntry{Message: x.says(w), Code: strconv.AppendInt(nil, int64(w.number), 10)})
	}
	return list
}

// page is what Cloudflare's edge shows to a browser.
func page(f *failure, text, ray string) []byte {
	var b bytes.Buffer
	code := f.status
	if f.layer == layerPage {
		code = f.number
	}
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>%d: %s</title></head>\n<body>\n", code,
		html.EscapeString(http.StatusText(f.status)))
	fmt.Fprintf(&b, "<h1><span class=\"cf-error-type\">Error</span> <span class=\"cf-error-code\">%d</span> <small "+
		"class=\"heading-ray-id\">Ray ID: %s</small></h1>\n", code, ray)
	fmt.Fprintf(&b, "<h2 class=\"cf-subheadline\">%s</h2>\n</body>\n</html>\n", html.EscapeString(text))
	return b.Bytes()
}
