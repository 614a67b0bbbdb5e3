package proxy

import (
	"testing"
	"time"
)

const (
	llama70  = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
	qwen30   = "@cf/qwen/qwen3-30b-a3b-fp8"
	gptOSS   = "@cf/openai/gpt-oss-120b"
	glmFlash = "@cf/zai-org/glm-5.3-flash"
)

// wireRows are those that were counted too low, or far too high, when they were first made.
var wireRows = []struct {
	name string
	wire wire
}{
	{"neurons of the prompt alone", wire{model: gptOSS, dearer: 228, prompt: 1, output: 21, usage: usageInput}},
	{
		"neurons of the prompt alone, in a stream's first event",
		wire{
			protocol: wireNative, stream: true, prompt: 1, output: 192, perEvent: 3, usage: usageNeurons,
			when: timeFirst,
		},
	},
	{
		"tokens of the first event alone",
		wire{stream: true, model: gptOSS, prompt: 14, output: 56, usage: usageZeroNeurons, when: timeFirst},
	},
	{
		"the same, and one token after it",
		wire{
			stream: true, model: glmFlash, dearer: 111, prompt: 1, output: 4, perEvent: 3, usage: usageZeroNeurons,
			when: timeFirst, header: headerLow, end: endLeft, at: 0.698, speed: 69, late: 864721954,
		},
	},
	{
		"neurons of the first event alone, one token after it, and a failure",
		wire{
			protocol: wireNative, stream: true, model: qwen30, dearer: 51, prompt: 1, output: 4, perEvent: 3,
			usage: usageNeurons, when: timeFirst, header: headerZero, end: endFailed, at: 0.989, speed: 67,
		},
	},
	{
		"increments of the prompt's neurons alone",
		wire{
			protocol: wireNative, stream: true, model: llama70, prompt: 4, output: 186, usage: usageInput,
			when: timeIncrements,
		},
	},
	{
		"the same, and the caller leaves",
		wire{
			stream: true, model: gptOSS, prompt: 1, output: 1, perEvent: 2, noise: true, usage: usageInput,
			when: timeBoth, end: endLeft, at: 0.84, speed: 58, late: time.Second / 2,
		},
	},
	{
		"running totals of the prompt alone",
		wire{stream: true, model: qwen30, prompt: 4, output: 40, usage: usageInput, when: timeRunning},
	},
	{
		"running totals of neurons alone",
		wire{protocol: wireNative, stream: true, prompt: 31, output: 86, usage: usageNeurons, when: timeRunning},
	},
	{
		"three running totals of neurons alone",
		wire{stream: true, model: qwen30, prompt: 11, output: 4, perEvent: 2, usage: usageNeurons, when: timeRunning},
	},
	{
		"two running totals of neurons alone, then a failure",
		wire{
			stream: true, dearer: 79, prompt: 499, output: 38, perEvent: 2, thinks: true, usage: usageNeurons,
			when: timeRunning, header: headerZero, noise: true, failed: "3050", end: endFailed, at: 0.19, speed: 40,
		},
	},
	{
		"an answer that is cut within its usage",
		wire{
			protocol: wireResponses, model: qwen30, dearer: 74, prompt: 24, output: 22, usage: usageTotal, noise: true,
			end: endOrderly, at: 0.969523,
		},
	},
	{
		"a header far below the text of an answer",
		wire{protocol: wireMessages, model: qwen30, prompt: 2, output: 97, header: headerLow},
	},
	{
		"a header far below the text, of an answer whose usage is zeros",
		wire{protocol: wireResponses, model: qwen30, prompt: 2, output: 97, usage: usageZeros, header: headerLow},
	},
	{
		"a header before a stream that ends within its first event",
		wire{
			protocol: wireNative, stream: true, model: gptOSS, dearer: 293, prompt: 82, output: 2, header: headerLow,
			end: endOrderly, at: 0.16, speed: 90,
		},
	},
	{
		"a header before a stream that begins with a failure",
		wire{
			protocol: wireNative, stream: true, model: qwen30, dearer: 238, prompt: 1, output: 1, header: headerLow,
			noise: true, failed: "html-502", end: endFailed, at: 0.06, speed: 99,
		},
	},
	{
		"a batch with the prompt's tokens alone",
		wire{protocol: wireBatch, model: llama70, prompt: 25, output: 20, usage: usagePrompt},
	},
	{
		"a batch with the prompt's neurons alone",
		wire{protocol: wireBatch, model: glmFlash, prompt: 29, output: 11, usage: usageInput, header: headerLow},
	},
	{
		"a batch whose answer is cut within its usage",
		wire{
			protocol: wireBatch, model: qwen30, prompt: 2, output: 1, usage: usageZeroNeurons, end: endOrderly,
			at: 0.67,
		},
	},
}

func TestWires(t *testing.T) {
	for _, c := range wireRows {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				if wrong := c.wire.check(t); wrong != "" {
					t.Error(wrong)
				}
			})
		})
	}
}

// The exceptions are some: what they excuse happens.
func TestWireExceptions(t *testing.T) {
	cut := wire{stream: true, prompt: 5, output: 400, end: endLeft, at: 0.1, speed: 90, late: time.Second / 2}
	half, whole := cut, cut
	half.bill, whole.bill = billHalf, billWhole
	for _, c := range []struct {
		name string
		wire wire
	}{
		{"a stream that its caller cancelled, billed half", half},
		{"a stream that its caller cancelled, billed whole", whole},
		{"a low header beside a long prompt", wire{prompt: 400, output: 1, header: headerLow}},
		{"a low header beside a failure", wire{prompt: 400, output: 50, header: headerLow, end: endFailed}},
		{
			"a low header beside vectors",
			wire{protocol: wireEmbeddings, model: "@cf/baai/bge-m3", prompt: 400, header: headerLow},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				if c.wire.exception() == "" {
					t.Error("got no exception, want one")
				}
				if r := c.wire.run(t); r.counted >= r.billed {
					t.Errorf("got %v counted, want less than the %v billed", r.counted, r.billed)
				}
			})
		})
	}
}
