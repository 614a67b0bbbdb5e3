package pace_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

// limited returns the limit that calls like key spend, "" and 0 where there is
// none.
func limited(l pace.Table, key pace.Key) (string, int) {
	r, _ := pace.New(l).Remaining(key, time.Now())
	return r.Limit, r.PerMinute
}

func TestTableByTaskAndModel(t *testing.T) {
	const (
		paid = "@cf/moonshotai/kimi-k2.6"
		bge  = "@cf/baai/bge-large-en-v1.5"
		phi  = "@cf/microsoft/phi-2"
	)
	model := func(task workload.Task, name string) pace.Key { return pace.Key{Task: task, Model: name} }
	paidModel := pace.Key{Task: workload.TextGeneration, Model: paid, PaidOnly: true}
	client := func(limit int) pace.Key {
		return pace.Key{Task: workload.TextGeneration, Client: "a", ClientLimit: limit}
	}
	for _, c := range []struct {
		name      string
		text      string
		key       pace.Key
		limit     string
		perMinute int
	}{
		{"a task's", "", model(workload.TextGeneration, "@cf/a/b"), "text-generation", 300},
		{"another task's", "", model(workload.SpeechRecognition, "@cf/a/b"), "automatic-speech-recognition", 720},
		{"a model's own", "", model(workload.TextEmbeddings, bge), bge, 1500},
		{"above its task's", "", model(workload.TextGeneration, phi), phi, 720},
		{"that needs Workers Paid", "", paidModel, paid, 20},
		{"of no known task", "", pace.Key{Model: "@cf/new/model"}, "text-generation", 300},
		{"of a task without", "", model(workload.TextToSpeech, "@cf/deepgram/aura-1"), "", 0},
		{"off", "off", paidModel, "", 0},
		{"off but for the client's", "off", client(60), "client", 60},
		{"the client's is the narrower one", "", client(60), "client", 60},
		{"the client's is the wider one", "", client(600), "text-generation", 300},
		{
			"a task's changed", " text-generation = 600 ", model(workload.TextGeneration, "@cf/a/b"),
			"text-generation", 600,
		},
		{"the other rows stay", "text-generation=600", model(workload.TextGeneration, phi), phi, 720},
		{"Workers Paid under a raised task", "text-generation=600", paidModel, paid, 20},
		{"Workers Paid under a lowered task", "text-generation=7", paidModel, paid, 7},
		{"Workers Paid with credits", paid + "=50", paidModel, paid, 50},
		{
			"a task's added", "text-to-speech=5", model(workload.TextToSpeech, "@cf/deepgram/aura-1"),
			"text-to-speech", 5,
		},
		{"a model's added", "text-generation=9,@cf/a/b=8", model(workload.TextGeneration, "@cf/a/b"), "@cf/a/b", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := pace.ParseTable(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if limit, n := limited(l, c.key); limit != c.limit || n != c.perMinute {
				t.Errorf("got limit %q of %d, want %q of %d", limit, n, c.limit, c.perMinute)
			}
		})
	}
}

// Prepaid credits raise the limit of the models that need Workers Paid, and no other.
func TestTableWithCredits(t *testing.T) {
	paid := pace.Key{Task: workload.TextGeneration, Model: "@cf/a/paid", PaidOnly: true}
	for text, want := range map[string]int{
		"": 50, "text-generation=600": 50, "text-generation=7": 7, "@cf/a/paid=30": 30,
	} {
		l, err := pace.ParseTable(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, n := limited(l.WithCredits(), paid); n != want {
			t.Errorf("%q: got %d requests a minute, want %d", text, n, want)
		}
	}
	key := pace.Key{Task: workload.TextGeneration, Model: "@cf/a/b"}
	if _, n := limited(pace.Table{}.WithCredits(), key); n != 300 {
		t.Errorf("got %d requests a minute of another model, want 300", n)
	}
}

func TestTableThatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{
			"no number", "text-generation",
			`^"text-generation" is no rate; write task=number or model=number .* from 1 to 1000000, or off; ` +
				`tasks are automatic-speech-recognition, .*, voice-activity-detection$`,
		},
		{"not a number", "text-generation=fast", `^"text-generation=fast" is no rate; write `},
		{"a fraction", "text-generation=1.5", `^"text-generation=1.5" is no rate; write `},
		{"zero", "text-generation=0", `^"text-generation=0" is no rate: 0 is not from 1 to 1000000; `},
		{"too many", "@cf/a/b=1000001", `^"@cf/a/b=1000001" is no rate: 1000001 is not from 1 to 1000000; `},
		{"no name", "=5", `^"=5" is no rate; `},
		{"an empty item", "text-generation=5,", `^"" is no rate; `},
		{
			"a task that there is not", "text-generatoin=5",
			`^"text-generatoin" is neither a task nor a model; .*text-generation`,
		},
		{"a task twice", "translation=5,translation=6", `^"translation" is there twice; `},
		{"a model twice", "@cf/a/b=5, @cf/a/b =5", `^"@cf/a/b" is there twice; `},
		{"off among others", "translation=5,off", `^"off" is no rate; `},
		{
			"several", "a=1,translation=5,b",
			`^"a" is neither a task nor a model; "b" is no rate; write [^;]*; tasks are [^;]*$`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := pace.ParseTable(c.text)
			if err == nil || !regexp.MustCompile(c.want).MatchString(err.Error()) {
				t.Errorf("got error %v, want a match of %s", err, c.want)
			}
		})
	}
}
