package workersai

import "net/http"

type finetune struct {
	ID          string `json:"id"`
	Model       string `json:"model"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Public      bool   `json:"public"`
}

// finetunes answers for LoRA adapters: public ones to read, and a write that
// keeps nothing.
func (x *exchange) finetunes() *failure {
	public := finetune{
		ID: tagID("cf-public-magicoder"), Model: "@cf/mistral/mistral-7b-instruct-v0.2-lora",
		Name: "cf-public-magicoder", Description: "A simulated adapter.", Public: true,
	}
	switch {
	case x.route.read == "finetunes/public":
		return list(x, []finetune{public})
	case x.r.Method == http.MethodGet:
		return list(x, []finetune{})
	}
	made := finetune{ID: x.id}
	for name, to := range map[string]*string{
		"model": &made.Model, "name": &made.Name,
		"description": &made.Description,
	} {
		v, _, f := x.in.text(name)
		if f != nil {
			return f
		}
		*to = v
	}
	if made.Model == "" || made.Name == "" {
		return badInput("required properties at '/' are 'model,name'")
	}
	return x.reads(wrap(made))
}
