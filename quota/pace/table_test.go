package pace_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

// limited returns the limit that calls like key spend, "" and 0 where there is
// none.
func limited(l pace.Table, key pace.Key) (string, int) {
	r, _ := pace.New(l).Remaining(key, time.Now())
	return r.Limit, r.PerMinute
}

func TestRateLimitsByTaskAndModel(t *testing.T) {
	const paid = "@cf/moonshotai/kimi-k2.6"
	for _, c := range []struct {
		name      string
		text      string
		key       pace.Key
		limit     string
		perMinute int
	}{
		{"a task's", "", pace.Key{Task: quota.TextGeneration, Model: "@cf/a/b"}, "text-generation", 300},
		{"another task's", "", pace.Key{Task: quota.SpeechRecognition, Model: "@cf/a/b"}, "automatic-speech-recognition", 720},
		{"a model's own", "", pace.Key{Task: quota.TextEmbeddings, Model: "@cf/baai/bge-large-en-v1.5"}, "@cf/baai/bge-large-en-v1.5", 1500},
		{"above its task's", "", pace.Key{Task: quota.TextGeneration, Model: "@cf/microsoft/phi-2"}, "@cf/microsoft/phi-2", 720},
		{"that needs Workers Paid", "", pace.Key{Task: quota.TextGeneration, Model: paid, PaidOnly: true}, paid, 20},
		{"of no known task", "", pace.Key{Model: "@cf/new/model"}, "text-generation", 300},
		{"of a task without", "", pace.Key{Task: quota.TextToSpeech, Model: "@cf/deepgram/aura-1"}, "", 0},
		{"off", "off", pace.Key{Task: quota.TextGeneration, Model: paid, PaidOnly: true}, "", 0},
		{"off but for the client's", "off", pace.Key{Task: quota.TextGeneration, Client: "a", ClientLimit: 60}, "client", 60},
		{"the client's is the narrower one", "", pace.Key{Task: quota.TextGeneration, Client: "a", ClientLimit: 60}, "client", 60},
		{"the client's is the wider one", "", pace.Key{Task: quota.TextGeneration, Client: "a", ClientLimit: 600}, "text-generation", 300},
		{"a task's changed", " text-generation = 600 ", pace.Key{Task: quota.TextGeneration, Model: "@cf/a/b"}, "text-generation", 600},
		{"the other rows stay", "text-generation=600", pace.Key{Task: quota.TextGeneration, Model: "@cf/microsoft/phi-2"}, "@cf/microsoft/phi-2", 720},
		{"Workers Paid under a raised task", "text-generation=600", pace.Key{Task: quota.TextGeneration, Model: paid, PaidOnly: true}, paid, 20},
		{"Workers Paid under a lowered task", "text-generation=7", pace.Key{Task: quota.TextGeneration, Model: paid, PaidOnly: true}, paid, 7},
		{"Workers Paid with credits", paid + "=50", pace.Key{Task: quota.TextGeneration, Model: paid, PaidOnly: true}, paid, 50},
		{"a task's added", "text-to-speech=5", pace.Key{Task: quota.TextToSpeech, Model: "@cf/deepgram/aura-1"}, "text-to-speech", 5},
		{"a model's added", "text-generation=9,@cf/a/b=8", pace.Key{Task: quota.TextGeneration, Model: "@cf/a/b"}, "@cf/a/b", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := pace.ParseTable(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if limit, n := limited(l, c.key); limit != c.limit || n != c.perMinute {
				t.Errorf("%q, %d a minute, not %q, %d", limit, n, c.limit, c.perMinute)
			}
		})
	}
}

func TestRateLimitsThatAreWrong(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no number", "text-generation", `^"text-generation" is no rate; write task=number or model=number .* from 1 to 1000000, or off; tasks are automatic-speech-recognition, .*, voice-activity-detection$`},
		{"not a number", "text-generation=fast", `^"text-generation=fast" is no rate; write `},
		{"a fraction", "text-generation=1.5", `^"text-generation=1.5" is no rate; write `},
		{"zero", "text-generation=0", `^"text-generation=0" is no rate: 0 is not from 1 to 1000000; `},
		{"too many", "@cf/a/b=1000001", `^"@cf/a/b=1000001" is no rate: 1000001 is not from 1 to 1000000; `},
		{"no name", "=5", `^"=5" is no rate; `},
		{"an empty item", "text-generation=5,", `^"" is no rate; `},
		{"a task that there is not", "text-generatoin=5", `^"text-generatoin" is neither a task nor a model; .*text-generation`},
		{"a task twice", "translation=5,translation=6", `^"translation" is there twice; `},
		{"a model twice", "@cf/a/b=5, @cf/a/b =5", `^"@cf/a/b" is there twice; `},
		{"off among others", "translation=5,off", `^"off" is no rate; `},
		{"several", "a=1,translation=5,b", `^"a" is neither a task nor a model; "b" is no rate; write [^;]*; tasks are [^;]*$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := pace.ParseTable(c.text)
			if err == nil || !regexp.MustCompile(c.want).MatchString(err.Error()) {
				t.Errorf("%v, not %s", err, c.want)
			}
		})
	}
}
