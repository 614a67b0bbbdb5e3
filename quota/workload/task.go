package workload

// Task is a kind of model, in the words of the price table.
type Task string

// The tasks of the price table.
const (
	TextGeneration      Task = "text-generation"
	TextEmbeddings      Task = "text-embeddings"
	TextClassification  Task = "text-classification"
	Translation         Task = "translation"
	ImageToText         Task = "image-to-text"
	ImageClassification Task = "image-classification"
	TextToImage         Task = "text-to-image"
	SpeechRecognition   Task = "automatic-speech-recognition"
	TextToSpeech        Task = "text-to-speech"
	VoiceActivity       Task = "voice-activity-detection"
)

// Tasks returns every task that a price table may name, sorted.
func Tasks() []Task {
	return []Task{
		SpeechRecognition, ImageClassification, ImageToText, TextClassification, TextEmbeddings,
		TextGeneration, TextToImage, TextToSpeech, Translation, VoiceActivity,
	}
}
