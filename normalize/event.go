package normalize

import "bytes"

// ClassifyEvent finds the catalog entry of one whole server-sent event; it returns nil for an event that is no
// failure, at the cost of a look. The status of a stream says nothing: what the event says decides.
func ClassifyEvent(event []byte) *Failure {
	if bytes.HasPrefix(event, []byte("data: {")) && !suspicious(event) {
		return nil
	}
	data, named := eventData(event)
	if data = leftTrim(data); len(data) == 0 {
		return nil
	}
	if !named {
		switch {
		case data[0] == '{':
			if !suspicious(data) || !failing(data) {
				return nil
			}
		case data[0] == '<':
			if !isHTML(data) {
				return nil
			}
		case !failureText(data):
			return nil
		}
	}
	return Classify(200, nil, data)
}

// suspicious reports whether one of the words that every failure has stands somewhere in data, be it in what a
// model wrote.
func suspicious(data []byte) bool {
	return bytes.Contains(data, []byte("rror")) || bytes.Contains(data, []byte("internalCode")) ||
		bytes.Contains(data, []byte("success"))
}

// eventData returns the data of an event and whether the event is named error. A block without any field is
// taken for data: it is an answer that should have been a stream. Only data of several lines is copied.
func eventData(event []byte) (data []byte, named bool) {
	rest := leftTrim(event)
	if len(rest) > 0 && (rest[0] == '{' || rest[0] == '<') {
		return rest, false
	}
	lines := 0
	for len(rest) > 0 {
		line := rest
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			line, rest = rest[:n], rest[n+1:]
		} else {
			rest = nil
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case bytes.HasPrefix(line, []byte("data:")):
			value := bytes.TrimPrefix(line[len("data:"):], []byte(" "))
			switch lines++; lines {
			case 1:
				data = value
			case 2:
				data = append(append(bytes.Clone(data), '\n'), value...)
			default:
				data = append(append(data, '\n'), value...)
			}
		case bytes.HasPrefix(line, []byte("event:")):
			named = string(bytes.TrimSpace(line[len("event:"):])) == "error"
		}
	}
	return data, named
}

// sseData returns the data of the first event in body when body is an event stream.
func sseData(body []byte) ([]byte, bool) {
	for _, field := range [...]string{"data:", "event:", "id:", "retry:", ":"} {
		if !bytes.HasPrefix(body, []byte(field)) {
			continue
		}
		for len(body) > 0 {
			event := body
			if n := bytes.Index(body, []byte("\n\n")); n >= 0 {
				event, body = body[:n], body[n+2:]
			} else {
				body = nil
			}
			if data, _ := eventData(event); len(data) > 0 {
				return data, true
			}
		}
		return nil, true
	}
	return nil, false
}
