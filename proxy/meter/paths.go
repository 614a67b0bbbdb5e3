package meter

// A path is where a value stands in an answer or an event. Only these paths count: text that a model wrote may say
// "usage" anywhere else.
type path uint8

const (
	otherPath path = iota

	inAnswer // a JSON answer
	inResult
	inTranscription
	inSeconds
	inRequestID
	inStatus
	inResponses // of a batch
	inBatched
	inBatchedResult
	inImage
	inImages
	inImageOf
	inModel // also of an event

	inEvent // an event's data
	inType
	inNative // response: text, or in the Responses protocol an object
	inChoices
	inChoice
	inChoiceDelta
	inToolCalls
	inToolCall
	inFunction
	inDelta // a text, or in Anthropic's protocol an object
	inBlock
	inMessage
	inText
	inReasoning
	inArguments // of a tool call, where they are an object
	inItems     // what the Responses protocol and Anthropic's put out, or the parts of one of its items
	inItem

	inUsage // of the answer itself, or of an event
	inResultUsage
	inMeta
	inMessageUsage
	inResponseUsage
	inDetails
	inNeurons // from here on in the order of figures
	inPrompt
	inInput
	inOutput
	inCached
	inCacheRead
	inCacheWrite
	inTotal

	numPaths
)

// A kind is what may stand at a path. Anything else there is skipped.
type kind uint8

const (
	anObject kind = 1 << iota
	aList
	aText
	aNumber
)

var kinds = [numPaths]kind{
	inAnswer: anObject, inResult: anObject, inTranscription: anObject, inSeconds: aNumber,
	inRequestID: aText, inStatus: aText, inResponses: aList, inBatched: anObject, inBatchedResult: anObject,
	inImage: aText, inImages: aList, inImageOf: aText, inModel: aText,

	inEvent: anObject, inType: aText, inNative: aText | anObject,
	inChoices: aList, inChoice: anObject, inChoiceDelta: anObject,
	inToolCalls: aList, inToolCall: anObject, inFunction: anObject,
	inDelta: aText | anObject, inBlock: anObject, inMessage: anObject, inText: aText, inReasoning: aText,
	inArguments: aText, inItems: aList, inItem: anObject,

	inUsage: anObject, inResultUsage: anObject, inMeta: anObject, inMessageUsage: anObject, inResponseUsage: anObject,
	inDetails: anObject,
	inNeurons: aNumber, inPrompt: aNumber, inInput: aNumber, inOutput: aNumber, inTotal: aNumber,
	inCached: aNumber, inCacheRead: aNumber, inCacheWrite: aNumber,
}

// elementOf returns the path of a list's elements.
func elementOf(list path) path {
	switch list {
	case inChoices:
		return inChoice
	case inToolCalls:
		return inToolCall
	case inImages:
		return inImageOf
	case inItems:
		return inItem
	case inResponses:
		return inBatched
	}
	return otherPath
}

// memberOf returns the path of an object's member of that name.
func memberOf(object path, name []byte) path {
	switch object {
	case inAnswer:
		switch string(name) {
		case "usage":
			return inUsage
		case "result":
			return inResult
		case "model":
			return inModel
		case "transcription_info":
			return inTranscription
		}
		return memberOfContent(name)
	case inResult:
		return memberOfResult(name)
	case inTranscription:
		if string(name) == "duration" {
			return inSeconds
		}
	case inBatched: // its usage is a part of that of the batch
		if string(name) == "result" {
			return inBatchedResult
		}
	case inBatchedResult:
		return memberOfContent(name)
	case inUsage, inResultUsage, inMeta, inMessageUsage, inResponseUsage:
		return memberOfUsage(name)
	case inDetails:
		if string(name) == "cached_tokens" {
			return inCached
		}
	default:
		return memberOfEvent(object, name)
	}
	return otherPath
}

func memberOfResult(name []byte) path {
	switch string(name) {
	case "usage":
		return inResultUsage
	case "meta":
		return inMeta
	case "transcription_info", "metadata": // of Whisper, of Deepgram
		return inTranscription
	case "request_id":
		return inRequestID
	case "status":
		return inStatus
	case "responses":
		return inResponses
	case "image":
		return inImage
	case "images":
		return inImages
	case "model":
		return inModel
	}
	return memberOfContent(name)
}

// memberOfContent is memberOf for what a JSON answer may hold that a model wrote, at its top or in "result".
func memberOfContent(name []byte) path {
	switch string(name) {
	case "choices":
		return inChoices
	case "response", "translated_text", "summary", "text":
		return inNative
	case "output", "content":
		return inItems
	case "tool_calls":
		return inToolCalls
	}
	return otherPath
}

func memberOfUsage(name []byte) path {
	switch string(name) {
	case "neurons":
		return inNeurons
	case "prompt_tokens":
		return inPrompt
	case "input_tokens":
		return inInput
	case "completion_tokens", "output_tokens":
		return inOutput
	case "total_tokens":
		return inTotal
	case "prompt_tokens_details", "input_tokens_details":
		return inDetails
	case "cache_read_input_tokens":
		return inCacheRead
	case "cache_creation_input_tokens":
		return inCacheWrite
	}
	return otherPath
}

// memberOfEvent is memberOf for the objects that only events have.
func memberOfEvent(object path, name []byte) path {
	switch object {
	case inEvent:
		switch string(name) {
		case "choices":
			return inChoices
		case "usage":
			return inUsage
		case "response":
			return inNative
		case "type":
			return inType
		case "delta":
			return inDelta
		case "message":
			return inMessage
		case "content_block":
			return inBlock
		case "model":
			return inModel
		}
	case inChoice:
		switch string(name) {
		case "delta", "message":
			return inChoiceDelta
		case "text":
			return inText
		}
	case inChoiceDelta:
		switch string(name) {
		case "content", "refusal":
			return inText
		case "reasoning", "reasoning_content":
			return inReasoning
		case "tool_calls":
			return inToolCalls
		}
	case inToolCall:
		switch string(name) {
		case "function":
			return inFunction
		case "arguments":
			return inArguments
		}
	case inFunction:
		if string(name) == "arguments" {
			return inText
		}
	case inItem:
		switch string(name) {
		case "text", "thinking", "refusal":
			return inText
		case "arguments", "input":
			return inArguments
		case "content", "summary":
			return inItems
		}
	case inDelta:
		switch string(name) {
		case "text", "partial_json", "thinking":
			return inText
		}
	case inBlock:
		if string(name) == "text" {
			return inText
		}
	case inNative:
		switch string(name) {
		case "usage":
			return inResponseUsage
		case "model":
			return inModel
		}
	case inMessage:
		switch string(name) {
		case "usage":
			return inMessageUsage
		case "model":
			return inModel
		}
	}
	return otherPath
}
