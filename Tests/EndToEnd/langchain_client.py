"""Texts as JSON on standard input; their vectors by langchain-huggingface, one text's too, on standard output."""

import asyncio
import json
import sys

from langchain_huggingface import HuggingFaceEndpointEmbeddings

texts = json.load(sys.stdin)
embeddings = HuggingFaceEndpointEmbeddings(model=sys.argv[1])
found = [embeddings.embed_documents(texts), embeddings.embed_query(texts[0])]
found += [asyncio.run(embeddings.aembed_documents(texts)), asyncio.run(embeddings.aembed_query(texts[0]))]
json.dump(found, sys.stdout)
