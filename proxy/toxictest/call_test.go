package toxictest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A kind is a kind of call, by the answer that it asks for.
type kind int

const (
	chat     kind = iota // a short answer, which the proxy inspects as a whole
	long                 // an answer far longer than what it inspects
	stream               // reports its usage at its end
	counting             // a stream that reports its usage with each event
	numKinds
)

var kindNames = [numKinds]string{"chat", "long", "stream", "counting"}

func (k kind) String() string { return kindNames[k] }

const (
	plainModel    = "@cf/meta/llama-3.1-8b-instruct-fp8"
	countingModel = "@cf/qwen/qwen3-30b-a3b-fp8"

	tokens = 100 // of an answer that is not long
)

// How a call may end, besides with the slug of a failure, which is as good as a success. A failure in a stream that has
// begun has an asterisk.
const (
	whole = "whole"
	cut   = "cut" // a long answer; its caller notices that it is incomplete
)

// call makes one call and returns how it ended: whole, cut, a slug, or what is wrong with its end.
func (s *site) call(k kind, simulate string) string {
	ctx, cancel := context.WithTimeout(context.Background(), hanging)
	defer cancel()
	model, size := plainModel, tokens
	switch k {
	case long:
		size = 200 * tokens
	case counting:
		model = countingModel
	}
	streams := k == stream || k == counting
	body := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%v,"messages":[{"role":"user","content":"Hello"}]}`,
		model, size, streams)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	pace := "; slow=2ms"
	if !streams {
		pace = ""
	}
	r.Header.Set("X-Simulate", fmt.Sprintf("%stokens=%d%s", simulate, size, pace))
	s.made.Add(1)
	began := time.Now()
	res, err := s.client.Do(r)
	if err != nil {
		return fmt.Sprintf("no answer after %v: %v", time.Since(began), err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("no end after %v, status %d", time.Since(began), res.StatusCode)
	case res.StatusCode != http.StatusOK:
		name := failure(answer)
		if err != nil || name == "" {
			return fmt.Sprintf("status %d without an envelope: %v %.300s", res.StatusCode, err, answer)
		}
		return name
	case streams:
		return endOfStream(answer, err)
	case err != nil && k == long:
		return cut
	case err != nil || !json.Valid(answer):
		return fmt.Sprintf("half an answer: %v %.300s", err, answer)
	}
	return whole
}

// endOfStream returns how a stream ended: all of its events must be whole, and the last one must be an end mark or a
// failure.
func endOfStream(answer []byte, err error) string {
	last := bytes.TrimSuffix(answer, []byte("\n\n"))
	if len(last) == len(answer) {
		return fmt.Sprintf("half an event at the end: %v …%q", err, answer[max(0, len(answer)-300):])
	}
	if at := bytes.LastIndex(last, []byte("\n\n")); at >= 0 {
		last = last[at+2:]
	}
	last = bytes.TrimPrefix(last, []byte("data: "))
	if string(last) == "[DONE]" && err == nil {
		return whole
	}
	if name := failure(last); name != "" {
		return name + "*"
	}
	return fmt.Sprintf("no last event: %v %q", err, last)
}

// failure returns the slug of an envelope, "" if there is none.
func failure(answer []byte) string {
	var e struct{ Error struct{ Name string } }
	if json.Unmarshal(answer, &e) != nil {
		return ""
	}
	return e.Error.Name
}
