package proxy

import (
	"strconv"
	"strings"
)

// A wireEvent is one event, with its end, and the tokens that are made for it.
type wireEvent struct {
	text   string
	tokens int
}

// events is the whole stream.
func (u *wireUpstream) events() []wireEvent {
	switch u.protocol {
	case wireResponses:
		return u.responsesEvents()
	case wireMessages:
		return u.messagesEvents()
	}
	return u.chunkEvents()
}

// pieces are the texts of the events with text.
func (u *wireUpstream) pieces() []string {
	words := strings.SplitAfter(wireText(u.output), " ")[1:]
	var all []string
	for size := max(u.perEvent, 1); len(words) > 0; {
		n := min(size, len(words))
		all = append(all, " "+strings.TrimSuffix(strings.Join(words[:n], ""), " "))
		words = words[n:]
	}
	return all
}

func wireData(tokens int, data string) wireEvent { return wireEvent{"data: " + data + "\n\n", tokens} }

// chunkEvents are OpenAI's chunks, or native events.
func (u *wireUpstream) chunkEvents() []wireEvent {
	var all []wireEvent
	pieces, sent := u.pieces(), 0
	along := func(n int) string {
		first := sent == 0
		sent += n
		switch u.when {
		case timeIncrements, timeBoth:
			return u.withUsage(u.usageOf(first, n))
		case timeRunning:
			return u.withUsage(u.usageOf(true, sent))
		case timeFirst:
			if first {
				return u.withUsage(u.usageOf(true, n))
			}
		}
		return u.withUsage("")
	}
	chunk := func(delta, finish, usage string) string {
		return `{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":` + delta +
			`,"finish_reason":` + finish + `}]` + usage + `,"p":"abc"}`
	}
	if u.noise {
		all = append(all, wireEvent{": ping\n\n", 0})
		if u.protocol == wireChat {
			all = append(all, wireData(0, chunk(`{"role":"assistant","content":""}`, "null", "")))
		}
	}
	for i, p := range pieces {
		n := strings.Count(p, " ")
		if u.protocol == wireNative {
			all = append(all, wireData(n, `{"response":`+strconv.Quote(p)+`,"p":"abc"`+along(n)+`}`))
			continue
		}
		delta := `{"content":` + strconv.Quote(p) + `}`
		if u.thinks && i < len(pieces)/2 {
			delta = `{"reasoning":` + strconv.Quote(p) + `,"reasoning_content":` + strconv.Quote(p) + `}`
		}
		all = append(all, wireData(n, chunk(delta, "null", along(n))))
	}
	usage := u.withUsage(u.usageOf(true, u.output))
	finish := ""
	if u.when == timeFinish {
		finish = usage
	}
	if u.protocol == wireChat {
		all = append(all, wireData(0, chunk(`{}`, `"stop"`, finish)))
	}
	switch u.when {
	case timeLast:
		if u.protocol == wireChat {
			all = append(all, wireData(0, `{"id":"c","object":"chat.completion.chunk","choices":[]`+usage+`}`))
			break
		}
		all = append(all, wireData(0, `{"response":""`+usage+`}`))
	case timeFinish, timeBoth:
		if u.when == timeBoth || u.protocol == wireNative {
			all = append(all, wireData(0, `{"response":""`+usage+`}`))
		}
	}
	return append(all, wireData(0, `[DONE]`))
}

func named(tokens int, name, data string) wireEvent {
	return wireEvent{"event: " + name + "\ndata: {\"type\":\"" + name + "\"" + data + "}\n\n", tokens}
}

func (u *wireUpstream) responsesEvents() []wireEvent {
	all := []wireEvent{named(0, "response.created", `,"response":{"status":"in_progress","usage":null}`)}
	for i, p := range u.pieces() {
		name := "response.output_text.delta"
		if u.thinks && i%2 == 0 {
			name = "response.reasoning_text.delta"
		}
		all = append(all, named(strings.Count(p, " "), name, `,"delta":`+strconv.Quote(p)))
	}
	return append(all, named(0, "response.completed", `,"response":{"status":"completed","output":[{"content":[`+
		`{"text":`+strconv.Quote(wireText(u.output))+`}]}]`+u.withUsage(u.usageOf(true, u.output))+`}`))
}

func (u *wireUpstream) messagesEvents() []wireEvent {
	all := []wireEvent{
		named(0, "message_start", `,"message":{"type":"message","content":[]`+u.withUsage(u.usageOf(true, 0))+`}`),
		named(0, "content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`),
	}
	if u.noise {
		all = append(all, named(0, "ping", ""))
	}
	for i, p := range u.pieces() {
		delta := `{"type":"text_delta","text":` + strconv.Quote(p) + `}`
		if u.thinks && i%2 == 0 {
			delta = `{"type":"thinking_delta","thinking":` + strconv.Quote(p) + `}`
		}
		all = append(all, named(strings.Count(p, " "), "content_block_delta", `,"index":0,"delta":`+delta))
	}
	return append(
		all,
		named(0, "content_block_stop", `,"index":0`),
		named(0, "message_delta", `,"delta":{"stop_reason":"end_turn"}`+u.withUsage(u.usageOf(true, u.output))),
		named(0, "message_stop", ""),
	)
}
